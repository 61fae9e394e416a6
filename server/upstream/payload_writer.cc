#include "server/upstream/payload_writer.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <charconv>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/upstream/base64.h"

namespace lumaedit {
namespace {

std::string Quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

// The shortest text that reads back as the same double.
std::string NumberText(double value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end.ptr);
}

class ObjectWriter {
 public:
  void Text(const char* key, const std::string& value) {
    if (!value.empty()) Value(key, Quoted(value));
  }
  void Number(const char* key, const std::optional<double>& value) {
    if (value) Value(key, NumberText(*value));
  }
  void Bool(const char* key, bool value) { Value(key, value ? "true" : "false"); }
  void Flag(const char* key, bool value) {
    if (value) Bool(key, true);
  }
  void Value(const char* key, const std::string& json) {
    absl::StrAppend(&text_, text_.empty() ? "\"" : ",\"", key, "\":", json);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::int64_t PayloadFrame::BodySize(std::int64_t source_bytes) const {
  return static_cast<std::int64_t>(head.size() + tail.size()) +
         (has_source ? Base64Size(source_bytes) : 0);
}

PayloadFrame WritePayload(const std::string& model, const UpstreamPayload& payload) {
  ObjectWriter keys;
  keys.Text("prompt", payload.prompt);
  keys.Text("source_generation_id", payload.source_generation_id);
  keys.Text("source_media_type", payload.source_media_type);
  keys.Text("resolution", payload.resolution);
  if (payload.edit_auto_controls) keys.Bool("edit_auto_controls", *payload.edit_auto_controls);
  keys.Text("edit_strength", payload.edit_strength);
  keys.Text("pose_strength", payload.pose_strength);
  keys.Number("depth_blur", payload.depth_blur);
  keys.Number("normals_augmentation", payload.normals_augmentation);
  keys.Number("trajectory_sparsity", payload.trajectory_sparsity);
  keys.Flag("face_enabled", payload.face_enabled);
  keys.Flag("hdr", payload.hdr);
  keys.Flag("exr_export", payload.exr_export);
  keys.Text("start_frame_url", payload.start_frame_url);

  PayloadFrame frame;
  frame.has_source = !payload.source_data_sha256.empty();
  frame.head = absl::StrCat("{\"model\":", Quoted(model), ",\"payload\":{", keys.text());
  if (frame.has_source) {
    absl::StrAppend(&frame.head, keys.text().empty() ? "" : ",", "\"source_data\":\"");
    frame.tail = "\"}}";
  } else {
    frame.tail = "}}";
  }
  return frame;
}

}  // namespace lumaedit
