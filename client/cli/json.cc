#include "client/cli/json.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace lumaedit::client::cli {
namespace {

constexpr char kTypeHost[] = "type.googleapis.com";

// In the order of the map's keys: a protobuf map keeps none, and would print its labels now so, now
// otherwise.
std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string Quoted(const std::string& text) {
  google::protobuf::Value value;
  value.set_string_value(text);
  return ToJson(value);
}

std::string Member(const std::string& key, const std::string& json) {
  return absl::StrCat(Quoted(key), ":", json);
}

std::string Object(const std::vector<std::string>& members) {
  return absl::StrCat("{", absl::StrJoin(members, ","), "}");
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  static auto* const resolver = google::protobuf::util::NewTypeResolverForDescriptorPool(
      kTypeHost, google::protobuf::DescriptorPool::generated_pool());
  std::string json;
  const auto status = google::protobuf::util::BinaryToJsonString(
      resolver, absl::StrCat(kTypeHost, "/", message.GetDescriptor()->full_name()),
      DeterministicBytes(message), &json);
  // It fails only for a message that the mapping forbids (a time out of its range, say); the line
  // must then say so, and not be an empty one.
  if (!status.ok()) {
    return R"({"error":{"code":"INTERNAL","message":"a message has no JSON form"}})";
  }
  return json;
}

std::string TransitionJson(const std::string& job_id, const v1::Transition& transition) {
  return Object({Member("jobId", Quoted(job_id)), Member("transition", ToJson(transition))});
}

std::string ErrorJson(const ClientError& error) {
  std::vector<std::string> body = {Member("code", Quoted(absl::StatusCodeToString(error.code)))};
  if (!error.reason_name.empty()) body.push_back(Member("reason", Quoted(error.reason_name)));
  if (!error.message.empty()) body.push_back(Member("message", Quoted(error.message)));
  if (!error.violations.empty()) {
    std::vector<std::string> list;
    for (const FieldViolation& violation : error.violations) {
      list.push_back(Object({Member("field", Quoted(violation.field)),
                             Member("description", Quoted(violation.description))}));
    }
    body.push_back(Member("violations", absl::StrCat("[", absl::StrJoin(list, ","), "]")));
  }
  if (!error.metadata.empty()) {
    std::vector<std::string> metadata;
    for (const auto& [key, value] : error.metadata) metadata.push_back(Member(key, Quoted(value)));
    body.push_back(Member("metadata", Object(metadata)));
  }
  if (error.retry_after.has_value()) {
    const std::string wait = absl::StrFormat("%gs", absl::ToDoubleSeconds(*error.retry_after));
    body.push_back(Member("retryAfter", Quoted(wait)));
  }
  return Object({Member("error", Object(body))});
}

}  // namespace lumaedit::client::cli
