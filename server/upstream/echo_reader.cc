#include "server/upstream/echo_reader.h"

#include <algorithm>

namespace lumaedit {
namespace {

constexpr std::size_t kMaxPromptCodePoints = 6000;
constexpr std::size_t kMaxTextBytes = kMaxPromptCodePoints * 4;

std::size_t CodePoints(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string* TextField(UpstreamPayload& payload, std::string_view key) {
  if (key == "prompt") return &payload.prompt;
  if (key == "source_generation_id") return &payload.source_generation_id;
  if (key == "source_media_type") return &payload.source_media_type;
  if (key == "resolution") return &payload.resolution;
  if (key == "edit_strength") return &payload.edit_strength;
  if (key == "pose_strength") return &payload.pose_strength;
  if (key == "start_frame_url") return &payload.start_frame_url;
  return nullptr;
}

std::optional<double>* NumberField(UpstreamPayload& payload, std::string_view key) {
  if (key == "depth_blur") return &payload.depth_blur;
  if (key == "normals_augmentation") return &payload.normals_augmentation;
  if (key == "trajectory_sparsity") return &payload.trajectory_sparsity;
  return nullptr;
}

// Documented defaults mean the same as absence (upstream.md section 6).
bool IsDefault(std::string_view key, std::string_view text) {
  return (key == "resolution" && text == "720p") || (key == "pose_strength" && text == "None");
}

bool SameUnder(std::string_view key, UpstreamPayload& a, UpstreamPayload& b) {
  if (const std::string* text = TextField(a, key)) return *text == *TextField(b, key);
  if (const auto* number = NumberField(a, key)) return *number == *NumberField(b, key);
  if (key == "source_data") return a.source_data_sha256 == b.source_data_sha256;
  if (key == "edit_auto_controls") return a.edit_auto_controls == b.edit_auto_controls;
  if (key == "face_enabled") return a.face_enabled == b.face_enabled;
  if (key == "hdr") return a.hdr == b.hdr;
  if (key == "exr_export") return a.exr_export == b.exr_export;
  return true;
}

}  // namespace

void EchoReader::LookFor(const std::vector<UpstreamPayload>& payloads) {
  looks_ = true;
  for (const UpstreamPayload& payload : payloads) looked_for_.push_back(&payload);
}

void EchoReader::Compare() {
  std::erase_if(looked_for_, [this](const UpstreamPayload* wanted) {
    UpstreamPayload copy = *wanted;
    return !SameUnder(key_, payload_, copy);
  });
}

void EchoReader::Foreign() {
  payload_.has_foreign_keys = true;
  empty_ = false;
  looked_for_.clear();
}

void EchoReader::BeginObject() {
  if (depth_ > 0) Foreign();
  ++depth_;
}

void EchoReader::EndObject() { --depth_; }

void EchoReader::BeginArray() {
  Foreign();
  ++depth_;
}

void EchoReader::EndArray() { --depth_; }

void EchoReader::Key(std::string_view key) {
  if (!AtKey()) return;
  key_ = key;
  if (key != "source_data") return;
  // No need to hash a video where none was sent.
  std::erase_if(looked_for_,
                [](const UpstreamPayload* wanted) { return wanted->source_data_sha256.empty(); });
}

void EchoReader::StringPart(std::string_view part) {
  if (IsSourceData()) {
    has_source_data_ = true;
    std::string decoded;
    if (!base64_.Write(part, decoded)) Foreign();
    sha256_.Update(decoded);
    return;
  }
  const std::size_t room = kMaxTextBytes - text_.size();
  text_too_long_ = text_too_long_ || part.size() > room;
  text_.append(part.substr(0, room));
}

void EchoReader::EndString() {
  if (IsSourceData()) {
    empty_ = empty_ && !has_source_data_;
    if (!has_source_data_) return;
    // What was decoded before the fault depends on how the text came in pieces.
    if (!base64_.Finish()) return Foreign();
    payload_.source_data_sha256 = sha256_.FinishHex();
    Compare();
    return;
  }
  std::string* field = AtKey() ? TextField(payload_, key_) : nullptr;
  if (field == nullptr || text_too_long_ || CodePoints(text_) > kMaxPromptCodePoints) {
    Foreign();
  } else {
    empty_ = false;
    if (!IsDefault(key_, text_)) *field = text_;
    Compare();
  }
  text_.clear();
  text_too_long_ = false;
}

void EchoReader::Number(double value) {
  std::optional<double>* field = AtKey() ? NumberField(payload_, key_) : nullptr;
  if (field == nullptr) return Foreign();
  empty_ = false;
  *field = value;
  Compare();
}

void EchoReader::Bool(bool value) {
  if (!AtKey()) return Foreign();
  empty_ = false;
  if (key_ == "edit_auto_controls") {
    payload_.edit_auto_controls = value;
  } else if (key_ == "face_enabled") {
    payload_.face_enabled = value;
  } else if (key_ == "hdr") {
    payload_.hdr = value;
  } else if (key_ == "exr_export") {
    payload_.exr_export = value;
  } else {
    Foreign();
  }
  Compare();
}

}  // namespace lumaedit
