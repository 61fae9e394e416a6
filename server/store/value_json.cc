#include "server/store/value_json.h"

#include <boost/json/serialize.hpp>
#include <variant>

#include "server/store/json_fields.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace json = boost::json;
namespace {

json::object OutcomeObject(const Outcome& outcome) {
  return {{"video_url", ToJson(outcome.video_url)},
          {"thumbnail_url", ToJson(outcome.thumbnail_url)},
          {"generation_id", ToJson(outcome.generation_id)},
          {"other_urls", ToJson(outcome.other_urls)},
          {"read_time", ToJson(outcome.read_time)}};
}

absl::StatusOr<Outcome> ReadOutcome(const json::value& value) {
  Outcome outcome;
  FieldReader fields(value);
  fields.Read("video_url", outcome.video_url);
  fields.Read("thumbnail_url", outcome.thumbnail_url);
  fields.Read("generation_id", outcome.generation_id);
  fields.Read("other_urls", outcome.other_urls);
  fields.Read("read_time", outcome.read_time);
  RETURN_IF_ERROR(fields.status());
  return outcome;
}

json::object ErrorObject(const JobError& error) {
  return {{"reason", static_cast<int>(error.reason)},
          {"message", ToJson(error.message)},
          {"upstream_code", ToJson(error.upstream_code)},
          {"upstream_message", ToJson(error.upstream_message)},
          {"may_succeed", error.may_succeed_if_submitted_again}};
}

absl::StatusOr<JobError> ReadError(const json::value& value) {
  JobError error;
  FieldReader fields(value);
  fields.ReadEnum("reason", ErrorReason::kUnspecified, ErrorReason{999}, error.reason);
  fields.Read("message", error.message);
  fields.Read("upstream_code", error.upstream_code);
  fields.Read("upstream_message", error.upstream_message);
  fields.Read("may_succeed", error.may_succeed_if_submitted_again);
  RETURN_IF_ERROR(fields.status());
  return error;
}

json::object ManualObject(const ManualConditioning& manual) {
  json::object object{{"strength", static_cast<int>(manual.strength)},
                      {"pose", static_cast<int>(manual.pose)},
                      {"face", manual.face}};
  if (manual.depth_blur) object["depth_blur"] = ToJson(*manual.depth_blur);
  if (manual.normals_augmentation) {
    object["normals_augmentation"] = ToJson(*manual.normals_augmentation);
  }
  if (manual.trajectory_sparsity) {
    object["trajectory_sparsity"] = ToJson(*manual.trajectory_sparsity);
  }
  return object;
}

absl::StatusOr<ManualConditioning> ReadManual(const json::value& value) {
  ManualConditioning manual;
  FieldReader fields(value);
  fields.ReadEnum("strength", Strength::kUnspecified, Strength::kReimagine3, manual.strength);
  fields.ReadEnum("pose", Pose::kUnspecified, Pose::kCoarse, manual.pose);
  fields.Read("face", manual.face);
  fields.Read("depth_blur", manual.depth_blur);
  fields.Read("normals_augmentation", manual.normals_augmentation);
  fields.Read("trajectory_sparsity", manual.trajectory_sparsity);
  RETURN_IF_ERROR(fields.status());
  return manual;
}

// The kind of a source is told by which key is there, so that a new kind is a new key.
struct SourceWriter {
  json::object& object;

  void operator()(std::monostate) const {}
  void operator()(const GenerationSource& source) const {
    object["generation"] = json::object{{"generation_id", ToJson(source.generation_id)}};
  }
  void operator()(const JobSource& source) const {
    object["job"] = json::object{{"job_id", ToJson(source.job_id)},
                                 {"generation_id", ToJson(source.generation_id)}};
  }
  void operator()(const StoredSource& source) const {
    object["stored"] = json::object{{"source_id", ToJson(source.source_id)},
                                    {"media_type", ToJson(source.media_type)},
                                    {"sha256", ToJson(source.sha256)},
                                    {"size_bytes", source.size_bytes},
                                    {"was_inline", source.was_inline}};
  }
};

absl::StatusOr<Source> ReadSource(const FieldReader& edit) {
  if (const json::value* value = edit.Find("generation")) {
    GenerationSource source;
    FieldReader fields(*value);
    fields.Read("generation_id", source.generation_id);
    RETURN_IF_ERROR(fields.status());
    return source;
  }
  if (const json::value* value = edit.Find("job")) {
    JobSource source;
    FieldReader fields(*value);
    fields.Read("job_id", source.job_id);
    fields.Read("generation_id", source.generation_id);
    RETURN_IF_ERROR(fields.status());
    return source;
  }
  if (const json::value* value = edit.Find("stored")) {
    StoredSource source;
    FieldReader fields(*value);
    fields.Read("source_id", source.source_id);
    fields.Read("media_type", source.media_type);
    fields.Read("sha256", source.sha256);
    fields.Read("size_bytes", source.size_bytes);
    fields.Read("was_inline", source.was_inline);
    RETURN_IF_ERROR(fields.status());
    return source;
  }
  return std::monostate();
}

absl::Status ReadLabels(const json::value& value, std::map<std::string, std::string>& labels) {
  const json::object* object = value.if_object();
  FieldReader fields(value);
  RETURN_IF_ERROR(fields.status());
  for (const auto& [key, text] : *object) {
    std::string& label = labels[std::string(key.data(), key.size())];
    const json::string* content = text.if_string();
    if (content == nullptr) return absl::DataLossError("a stored label is not a text");
    label.assign(content->data(), content->size());
  }
  return absl::OkStatus();
}

}  // namespace

std::string EditToJson(const Edit& edit) {
  json::object object{{"prompt", ToJson(edit.prompt)},
                      {"output_format", static_cast<int>(edit.output_format)}};
  std::visit(SourceWriter{object}, edit.source);
  if (edit.manual) object["manual"] = ManualObject(*edit.manual);
  if (!edit.start_frame_url.empty()) object["start_frame_url"] = ToJson(edit.start_frame_url);
  return json::serialize(object);
}

absl::StatusOr<Edit> EditFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value value, ParseStoredJson(text));
  Edit edit;
  FieldReader fields(value);
  fields.Read("prompt", edit.prompt);
  fields.ReadEnum("output_format", OutputFormat::kUnspecified, OutputFormat::kHdrExr1080p,
                  edit.output_format);
  fields.Read("start_frame_url", edit.start_frame_url);
  RETURN_IF_ERROR(fields.status());
  ASSIGN_OR_RETURN(edit.source, ReadSource(fields));
  if (const json::value* manual = fields.Find("manual")) {
    ASSIGN_OR_RETURN(edit.manual, ReadManual(*manual));
  }
  return edit;
}

std::string OptionsToJson(const SubmitOptions& options) {
  json::object object;
  if (!options.labels.empty()) {
    json::object& labels = object["labels"].emplace_object();
    for (const auto& [key, value] : options.labels) labels[key] = ToJson(value);
  }
  if (options.max_price_usd_micros) object["max_price"] = *options.max_price_usd_micros;
  if (options.declared_source_duration) {
    object["declared_source_duration"] = ToJson(*options.declared_source_duration);
  }
  if (options.start_within) object["start_within"] = ToJson(*options.start_within);
  return json::serialize(object);
}

absl::StatusOr<SubmitOptions> OptionsFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value value, ParseStoredJson(text));
  SubmitOptions options;
  FieldReader fields(value);
  fields.Read("max_price", options.max_price_usd_micros);
  fields.Read("declared_source_duration", options.declared_source_duration);
  fields.Read("start_within", options.start_within);
  RETURN_IF_ERROR(fields.status());
  if (const json::value* labels = fields.Find("labels")) {
    RETURN_IF_ERROR(ReadLabels(*labels, options.labels));
  }
  return options;
}

std::string OutcomeToJson(const Outcome& outcome) {
  return json::serialize(OutcomeObject(outcome));
}

absl::StatusOr<Outcome> OutcomeFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value value, ParseStoredJson(text));
  return ReadOutcome(value);
}

std::string JobErrorToJson(const JobError& error) { return json::serialize(ErrorObject(error)); }

absl::StatusOr<JobError> JobErrorFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value value, ParseStoredJson(text));
  return ReadError(value);
}

std::string FactToJson(const Fact& fact) {
  json::object object{
      {"kind", static_cast<int>(fact.kind)},     {"http_status", fact.http_status},
      {"upstream_id", ToJson(fact.upstream_id)}, {"upstream_status", ToJson(fact.upstream_status)},
      {"retry_after", ToJson(fact.retry_after)}, {"note", ToJson(fact.note)}};
  if (fact.upstream_offset) object["upstream_offset"] = ToJson(*fact.upstream_offset);
  if (fact.outcome) object["outcome"] = OutcomeObject(*fact.outcome);
  if (fact.error) object["error"] = ErrorObject(*fact.error);
  return json::serialize(object);
}

absl::StatusOr<Fact> FactFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value value, ParseStoredJson(text));
  Fact fact;
  FieldReader fields(value);
  fields.ReadEnum("kind", FactKind::kAccepted, FactKind::kUnclear, fact.kind);
  fields.Read("http_status", fact.http_status);
  fields.Read("upstream_id", fact.upstream_id);
  fields.Read("upstream_status", fact.upstream_status);
  fields.Read("retry_after", fact.retry_after);
  fields.Read("upstream_offset", fact.upstream_offset);
  fields.Read("note", fact.note);
  RETURN_IF_ERROR(fields.status());
  if (const json::value* outcome = fields.Find("outcome")) {
    ASSIGN_OR_RETURN(fact.outcome, ReadOutcome(*outcome));
  }
  if (const json::value* error = fields.Find("error")) {
    ASSIGN_OR_RETURN(fact.error, ReadError(*error));
  }
  return fact;
}

std::string StringsToJson(const std::vector<std::string>& strings) {
  return json::serialize(ToJson(strings));
}

absl::StatusOr<std::vector<std::string>> StringsFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(json::value value, ParseStoredJson(text));
  const json::value wrapped = json::object{{"items", std::move(value)}};
  std::vector<std::string> strings;
  FieldReader fields(wrapped);
  fields.Read("items", strings);
  RETURN_IF_ERROR(fields.status());
  return strings;
}

std::string SourceInfoToJson(const SourceInfo& info) {
  return json::serialize(json::object{{"caller", ToJson(info.caller)},
                                      {"id", ToJson(info.id)},
                                      {"state", static_cast<int>(info.state)},
                                      {"media_type", ToJson(info.media_type)},
                                      {"size_bytes", info.size_bytes},
                                      {"sha256", ToJson(info.sha256)},
                                      {"duration", ToJson(info.duration)},
                                      {"expire_time", ToJson(info.expire_time)},
                                      {"rejection", static_cast<int>(info.rejection)}});
}

absl::StatusOr<SourceInfo> SourceInfoFromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value value, ParseStoredJson(text));
  SourceInfo info;
  FieldReader fields(value);
  fields.Read("caller", info.caller);
  fields.Read("id", info.id);
  fields.ReadEnum("state", SourceInfo::State::kUploading, SourceInfo::State::kRejected, info.state);
  fields.Read("media_type", info.media_type);
  fields.Read("size_bytes", info.size_bytes);
  fields.Read("sha256", info.sha256);
  fields.Read("duration", info.duration);
  fields.Read("expire_time", info.expire_time);
  fields.ReadEnum("rejection", ErrorReason::kUnspecified, ErrorReason{999}, info.rejection);
  RETURN_IF_ERROR(fields.status());
  if (info.size_bytes < 0) return absl::DataLossError("a stored source has a negative size");
  return info;
}

}  // namespace lumaedit
