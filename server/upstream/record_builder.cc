#include "server/upstream/record_builder.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/upstream/upstream_text.h"

namespace lumaedit {
namespace {

constexpr std::size_t kMaxOtherUrls = 16;
constexpr std::size_t kMaxNameBytes = 128;

struct NamedSlot {
  std::string_view key;
  int slot;
};

template <std::size_t N>
int FindSlot(const NamedSlot (&table)[N], std::string_view key, int otherwise) {
  for (const NamedSlot& named : table) {
    if (named.key == key) return named.slot;
  }
  return otherwise;
}

// A whole number without a fraction, so that a code reads as it was written.
std::string NumberText(double value) {
  const double whole = std::trunc(value);
  if (whole == value && std::abs(value) < 1e15) {
    return absl::StrCat(static_cast<std::int64_t>(whole));
  }
  // Not StrCat: its six digits would move a time in seconds by up to an hour.
  char text[64];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end.ptr);
}

// A generation id is sent back to the upstream and shown to callers.
bool IsPlainName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace

RecordBuilder::RecordBuilder(Secret key, bool want_echo, std::shared_ptr<const ListStop> stop)
    : key_(std::move(key)), want_echo_(want_echo), stop_(std::move(stop)) {
  if (stop_) echo_.LookFor(stop_->payloads);
}

RecordBuilder::Slot RecordBuilder::OutcomeSlot() const {
  static constexpr NamedSlot kOutcomeKeys[] = {
      {"video_url", kVideoUrl},         {"thumbnail_image_url", kThumbnailUrl},
      {"generation_id", kGenerationId}, {"error", kErrorMessage},
      {"message", kOutcomeMessage},     {"failure_reason", kFailureReason},
      {"failure_code", kFailureCode},   {"status", kIgnored},
  };
  static constexpr NamedSlot kErrorKeys[] = {
      {"message", kErrorMessage}, {"code", kErrorCode}, {"status", kErrorStatus}};
  const std::size_t depth = path_.size();
  if (path_[1].is_array) return kOtherUrl;
  const std::string& key = path_[1].key;
  if (depth == 2) return static_cast<Slot>(FindSlot(kOutcomeKeys, key, kOtherUrl));
  if (key == "error") {
    if (depth != 3 || path_[2].is_array) return kIgnored;
    return static_cast<Slot>(FindSlot(kErrorKeys, path_[2].key, kIgnored));
  }
  if (key == "media_urls" && path_[2].is_array && path_[2].index == 0) {
    const bool is_text = depth == 3;
    const bool is_url_of_object = depth == 4 && !path_[3].is_array && path_[3].key == "url";
    if (is_text || is_url_of_object) return kMediaUrl;
  }
  return kOtherUrl;
}

RecordBuilder::Slot RecordBuilder::SlotHere() const {
  static constexpr NamedSlot kTopKeys[] = {
      {"request_id", kId},         {"org_id", kOrgId},         {"model", kModel},
      {"status", kStatus},         {"created_at", kCreatedAt}, {"updated_at", kUpdatedAt},
      {"error", kTopErrorMessage}, {"reason", kReason},
  };
  static constexpr NamedSlot kErrorKeys[] = {
      {"message", kTopErrorMessage}, {"code", kTopErrorCode}, {"status", kTopErrorStatus}};
  if (path_.empty() || path_.front().is_array) return kIgnored;
  const std::size_t depth = path_.size();
  const std::string& key = path_.front().key;
  if (depth == 1) return static_cast<Slot>(FindSlot(kTopKeys, key, kIgnored));
  if (key == "outcome") return OutcomeSlot();
  if (key == "error" && depth == 2 && !path_[1].is_array) {
    return static_cast<Slot>(FindSlot(kErrorKeys, path_[1].key, kIgnored));
  }
  return kIgnored;
}

void RecordBuilder::Begin(bool is_array) {
  if (path_.size() == 1) {
    // A status that is no word is a status all the same: one that is never final.
    has_status_ = has_status_ || path_.front().key == "status";
  }
  begun_ = true;
  path_.push_back(Level{.is_array = is_array, .key = {}, .index = 0});
}

void RecordBuilder::End() {
  path_.pop_back();
  ValueEnded();
}

void RecordBuilder::ValueEnded() {
  if (!path_.empty() && path_.back().is_array) ++path_.back().index;
}

void RecordBuilder::BeginObject() {
  if (InPayload() && want_echo_) echo_.BeginObject();
  Begin(false);
}

void RecordBuilder::EndObject() {
  End();
  if (InPayload() && want_echo_) echo_.EndObject();
}

void RecordBuilder::BeginArray() {
  if (InPayload() && want_echo_) echo_.BeginArray();
  Begin(true);
}

void RecordBuilder::EndArray() {
  End();
  if (InPayload() && want_echo_) echo_.EndArray();
}

void RecordBuilder::Key(std::string_view key) {
  if (InPayload() && path_.size() > 1) {
    if (want_echo_) echo_.Key(key);
    return;
  }
  path_.back().key = key;
}

void RecordBuilder::StringPart(std::string_view part) {
  if (InPayload()) {
    if (want_echo_) echo_.StringPart(part);
    return;
  }
  if (!text_slot_) text_slot_ = SlotHere();
  if (*text_slot_ == kIgnored) return;
  text_.append(part.substr(0, kMaxRawTextBytes + 1 - text_.size()));
}

void RecordBuilder::EndString() {
  if (InPayload()) {
    if (want_echo_) echo_.EndString();
    return ValueEnded();
  }
  const Slot slot = text_slot_ ? *text_slot_ : SlotHere();
  has_id_ = has_id_ || slot == kId;
  has_status_ = has_status_ || slot == kStatus;
  if (slot == kOtherUrl) {
    if (other_urls_.size() < kMaxOtherUrls && IsOutputUrl(text_, key_))
      other_urls_.push_back(text_);
  } else if (slot != kIgnored) {
    texts_[slot] = text_;
  }
  if (slot == kId && stop_) is_owned_ = stop_->is_owned(texts_[kId]);
  text_.clear();
  text_slot_.reset();
  ValueEnded();
}

void RecordBuilder::Number(double value) {
  if (InPayload()) {
    if (want_echo_) echo_.Number(value);
    return ValueEnded();
  }
  switch (const Slot slot = SlotHere()) {
    case kStatus:
      has_status_ = true;
      break;
    case kCreatedAt:
    case kUpdatedAt:
    case kTopErrorCode:
    case kErrorCode:
    case kFailureCode:
      texts_[slot] = NumberText(value);
      break;
    default:
      break;
  }
  ValueEnded();
}

void RecordBuilder::Bool(bool value) {
  if (InPayload()) {
    if (want_echo_) echo_.Bool(value);
  } else if (SlotHere() == kStatus) {
    has_status_ = true;
  }
  ValueEnded();
}

void RecordBuilder::Null() {
  if (InPayload()) {
    if (want_echo_) echo_.Null();
  } else if (SlotHere() == kStatus) {
    has_status_ = true;
  }
  ValueEnded();
}

UpstreamStatus RecordBuilder::status() const { return ReadStatusWord(texts_[kStatus]); }

std::optional<Outcome> RecordBuilder::BuildOutcome() const {
  Outcome outcome;
  std::vector<std::string> others;
  for (const Slot slot : {kMediaUrl, kVideoUrl}) {
    if (!IsOutputUrl(texts_[slot], key_)) continue;
    if (outcome.video_url.empty()) {
      outcome.video_url = texts_[slot];
    } else {
      others.push_back(texts_[slot]);
    }
  }
  if (outcome.video_url.empty()) return std::nullopt;
  if (IsOutputUrl(texts_[kThumbnailUrl], key_)) outcome.thumbnail_url = texts_[kThumbnailUrl];
  if (IsPlainName(texts_[kGenerationId])) outcome.generation_id = texts_[kGenerationId];
  others.insert(others.end(), other_urls_.begin(), other_urls_.end());
  for (std::string& url : others) {
    const auto known = outcome.other_urls;
    if (url == outcome.video_url || url == outcome.thumbnail_url ||
        std::find(known.begin(), known.end(), url) != known.end()) {
      continue;
    }
    outcome.other_urls.push_back(std::move(url));
  }
  return outcome;
}

JobError RecordBuilder::BuildError() const {
  const auto first_of = [this](std::initializer_list<Slot> slots) {
    for (const Slot slot : slots) {
      if (!texts_[slot].empty()) return texts_[slot];
    }
    return std::string();
  };
  // The order of upstream.md section 5.1.
  const UpstreamReason places[] = {
      {first_of({kErrorCode, kErrorStatus}), texts_[kErrorMessage]},
      {first_of({kTopErrorCode, kTopErrorStatus}), texts_[kTopErrorMessage]},
      {"", texts_[kReason]},
      {"", first_of({kOutcomeMessage, kFailureReason})},
  };
  UpstreamReason reason;
  for (const UpstreamReason& place : places) {
    if (place.code.empty() && place.message.empty()) continue;
    reason = place;
    break;
  }
  // Where it is given, Luma's own code says more than the number of GMI's answer.
  double number = 0;
  if (!texts_[kFailureCode].empty() &&
      (reason.code.empty() || absl::SimpleAtod(reason.code, &number))) {
    reason.code = texts_[kFailureCode];
  }
  return MakeUpstreamError(reason, ErrorReason::kUpstreamFailed, true, key_);
}

UpstreamRecord RecordBuilder::Build() const {
  UpstreamRecord record;
  if (IsUpstreamId(texts_[kId])) record.id = texts_[kId];
  record.org_id = CleanText(texts_[kOrgId], key_, kMaxNameBytes);
  record.model = CleanText(texts_[kModel], key_, kMaxNameBytes);
  record.status = status();
  record.status_word = CleanText(texts_[kStatus], key_, kMaxStatusWordBytes);
  if (record.status == UpstreamStatus::kSuccess) record.outcome = BuildOutcome();
  if (record.status == UpstreamStatus::kFailed) record.error = BuildError();
  record.created_at = ReadUnixSeconds(std::string_view(texts_[kCreatedAt]));
  record.updated_at = ReadUnixSeconds(std::string_view(texts_[kUpdatedAt]));
  record.echo = echo_.payload();
  record.echo_is_empty = echo_.empty();
  return record;
}

}  // namespace lumaedit
