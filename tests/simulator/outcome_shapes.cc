#include "outcome_shapes.h"

#include "json_get.h"

namespace lumaedit::simulator {

namespace json = boost::json;

std::string OutputUrl(const World& world, const Record& record, const std::string& file) {
  // The misspelling is the vendor's (upstream.md section 2.2).
  return world.public_url + "/gmi-video-assests-prod/" + record.id + "/" + file;
}

json::value SuccessOutcome(const World& world, const Record& record) {
  const std::string video = OutputUrl(world, record, "output.mp4");
  const std::string thumbnail = OutputUrl(world, record, "thumb.jpg");
  json::object outcome;
  const bool exr = GetBool(record.submission.payload, "exr_export", false);
  if (world.options.outcome_shape == "media_urls") {
    json::array urls{json::object{{"id", "0"}, {"url", video}}};
    if (exr)
      urls.push_back(json::object{{"id", "1"}, {"url", OutputUrl(world, record, "output.exr")}});
    return json::object{{"media_urls", urls}, {"thumbnail_image_url", thumbnail}};
  }
  outcome["video_url"] = video;
  outcome["generation_id"] = record.generation_id;
  outcome["thumbnail_image_url"] = thumbnail;
  if (exr) outcome["exr_url"] = OutputUrl(world, record, "output.exr");
  return outcome;
}

json::value AnomalousOutcome(const World& world, const Record& record, const std::string& shape) {
  const std::string video = OutputUrl(world, record, "output.mp4");
  const std::string thumbnail = OutputUrl(world, record, "thumb.jpg");
  if (shape == "null") return nullptr;
  if (shape == "empty") return json::object();
  if (shape == "media_urls_empty") return json::object{{"media_urls", json::array()}};
  if (shape == "media_urls_no_url") {
    return json::object{{"media_urls", json::array{json::object{{"id", "0"}}}}};
  }
  if (shape == "thumbnail_only") return json::object{{"thumbnail_image_url", thumbnail}};
  if (shape == "thumbnail_same") {
    return json::object{{"thumbnail_image_url", video}, {"video_url", video}};
  }
  if (shape == "media_urls_strings") return json::object{{"media_urls", json::array{video}}};
  if (shape == "no_generation_id") {
    return json::object{{"video_url", video}, {"thumbnail_image_url", thumbnail}};
  }
  if (shape == "nested_status") {
    return json::object{
        {"video_url", video}, {"generation_id", record.generation_id}, {"status", "failed"}};
  }
  if (shape == "trace_id") {
    return json::object{
        {"request_id", "trace-" + record.generation_id},
        {"media_urls", json::array{json::object{{"id", "0"}, {"type", "video"}, {"url", video}}}}};
  }
  return json::object{{"media_urls", json::array{json::object{{"id", "0"}, {"url", video}}}},
                      {"thumbnail_image_url", thumbnail}};
}

json::object FailureFields(const Record& record, const std::string& shape) {
  static constexpr const char* kText =
      "Generation rejected; please review the prompt and parameters then retry";
  const json::object object{{"code", 400}, {"message", kText}, {"status", "INVALID_INPUT"}};
  if (shape == "object") return {{"outcome", json::object{{"error", object}}}};
  if (shape == "null") return {{"outcome", nullptr}};
  if (shape == "empty") return {{"outcome", json::object()}};
  if (shape == "reason") return {{"outcome", nullptr}, {"reason", kText}};
  if (shape == "top_error_text") return {{"outcome", nullptr}, {"error", kText}};
  if (shape == "top_error_object") return {{"outcome", nullptr}, {"error", object}};
  if (shape == "message") return {{"outcome", json::object{{"message", kText}}}};
  if (shape == "failure_reason") {
    return {{"outcome", json::object{{"failure_reason", "Generation failed"},
                                     {"failure_code", "generation_failed"}}}};
  }
  if (shape == "luma") {
    return {{"outcome",
             json::object{
                 {"error", json::object{{"code", "content_moderated"},
                                        {"message",
                                         "Generation output was flagged by our content moderation "
                                         "system."}}},
                 {"generation_id", record.generation_id}}}};
  }
  return {{"outcome", json::object{{"error", "Failed to download media"}}}};
}

}  // namespace lumaedit::simulator
