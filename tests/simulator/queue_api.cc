#include "queue_api.h"

#include <utility>

#include "json_get.h"
#include "models_api.h"
#include "storage_api.h"

namespace lumaedit::simulator {
namespace {

Reply Kind(const char* kind, Reply reply) {
  reply.kind = kind;
  if (reply.after_hold) {
    reply.after_hold = [kind, inner = std::move(reply.after_hold)] { return Kind(kind, inner()); };
  }
  return reply;
}

std::string BearerToken(const Request& request) {
  static constexpr std::string_view kScheme = "Bearer ";
  const std::string value = request.Header("authorization");
  return value.starts_with(kScheme) ? value.substr(kScheme.size()) : "";
}

}  // namespace

BodyPlan QueueApi::OnHead(const Request& request) {
  BodyPlan plan;
  plan.refuse_after = world_.options.max_body_bytes;
  if (request.method != "POST" || request.path != world_.options.base_path + "/requests") {
    return plan;
  }
  const std::string token = BearerToken(request);
  if (ApiKey* key = world_.FindKey(token)) ++key->posts_started;
  for (const Fault& fault : world_.faults.Take({kPost, {}, token, "", world_.clock.Now()}, true)) {
    if (fault.name == "body_limit") {
      plan.refuse_after = static_cast<uint64_t>(GetNumber(fault.args, "bytes", 1 << 20));
      plan.refuse_by_reset = GetString(fault.args, "how", "413") == "reset";
    } else if (fault.name == "accept_short_body") {
      plan.accept_missing = static_cast<uint64_t>(GetNumber(fault.args, "missing", 1));
      plan.accept_on_close = GetString(fault.args, "when", "early") == "on_close";
    }
  }
  return plan;
}

void QueueApi::OnDone(const Reply& reply, const Traffic& traffic) {
  RequestCount& count = world_.requests[reply.kind.empty() ? "refused_body" : reply.kind];
  ++count.count;
  count.bytes_in += traffic.body_in;
  count.bytes_out += traffic.written;
  count.bytes_sent += traffic.sent;
  ++count.by_status[reply.status];
}

Reply QueueApi::OnRequest(const Request& request) { return Route(request); }

Reply QueueApi::Route(const Request& request) {
  const std::string& path = request.path;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (path.starts_with(kOutputPrefix) && reads) {
    return Kind("output", ServeOutput(world_, request));
  }
  if (path.starts_with(kUploadPrefix) && request.method == "PUT") {
    return Kind("upload", PutUpload(world_, request));
  }
  if (path.starts_with(kPublicPrefix) && reads) return Kind("output", GetUpload(world_, request));
  const std::string& base = world_.options.base_path;
  if (path.starts_with(base + "/")) {
    ApiKey* key = world_.FindKey(BearerToken(request));
    if (key == nullptr) return Kind("unauthorized", ErrorReply(401, "Missing or invalid API key"));
    if (key->refused_with != 0) {
      return Kind("unauthorized", ErrorReply(key->refused_with, "API key has been revoked"));
    }
    return RouteWithKey(request, path.substr(base.size()), *key);
  }
  // The catalogue can be read without a key one level up (upstream.md section 1.2).
  const std::string open = base.substr(0, base.rfind('/'));
  if (path.starts_with(open + "/models") && request.method == "GET") {
    return Kind("models", Models(path.substr(open.size()), nullptr));
  }
  return Kind("other", ErrorReply(404, "not found"));
}

Reply QueueApi::RouteWithKey(const Request& request, const std::string& path, ApiKey& key) {
  static constexpr std::string_view kRecord = "/requests/";
  const std::string& method = request.method;
  if (path == "/requests" && method == "POST") return Kind("post", Post(request, key));
  if (path == "/requests" && method == "GET") return Kind("list", List(request, key));
  if (path.starts_with(kRecord) && method == "GET") {
    return Kind("get", Get(key, path.substr(kRecord.size())));
  }
  if ((path == "/models" || path.starts_with("/models/")) && method == "GET") {
    return Kind("models", Models(path, &key));
  }
  if (path == "/upload-url" && method == "POST") {
    return Kind("upload_url", MakeUploadUrl(world_, request));
  }
  if (path == "/requests" || path.starts_with(kRecord) || path == "/upload-url") {
    return Kind("other", ErrorReply(405, "method not allowed"));
  }
  return Kind("other", ErrorReply(404, "not found"));
}

Reply QueueApi::Models(const std::string& path, ApiKey* key) {
  const std::vector<Fault> faults =
      world_.faults.Take({kModels, {}, key == nullptr ? "" : key->secret, "", world_.clock.Now()});
  Reply reply = path == "/models" ? ListModels() : DescribeModel(path.substr(8));
  for (const Fault& fault : faults) {
    if (auto refusal = RefuseBy(world_, fault, "")) reply = refusal->reply("");
  }
  ApplyDelivery(world_, faults, reply);
  return reply;
}

}  // namespace lumaedit::simulator
