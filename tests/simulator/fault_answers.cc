#include "fault_answers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "digest.h"
#include "json_get.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

constexpr char kRejected[] =
    "Generation rejected; please review the prompt and parameters then retry";

void SetHeader(Reply& reply, const std::string& name, std::string value) {
  for (auto& [key, present] : reply.headers) {
    if (key == name) {
      present = std::move(value);
      return;
    }
  }
  reply.headers.emplace_back(name, std::move(value));
}

Reply TextReply(int status, const char* type, std::string text) {
  Reply reply;
  reply.status = status;
  reply.headers.emplace_back("Content-Type", type);
  reply.body = Body(std::move(text));
  return reply;
}

std::string RateLimitText(const std::string& model, int64_t limit, int64_t interval, int64_t ms) {
  return "Rate limit exceeded for model " + model + ": " + std::to_string(limit) +
         " requests per " + std::to_string(interval) + " seconds. Retry in " + std::to_string(ms) +
         " ms.";
}

Reply RateLimitReply(const std::string& model, int64_t limit, int64_t interval, int64_t ms) {
  return JsonReply(429, json::object{{"error", RateLimitText(model, limit, interval, ms)},
                                     {"rate_limit", json::object{{"limit_type", "RPM"},
                                                                 {"limit", limit},
                                                                 {"interval_seconds", interval},
                                                                 {"retry_after_ms", ms}}}});
}

Reply RateLimitFault(World& world, const json::object& args, const std::string& model,
                     const std::string& id) {
  const std::string variant = GetWord(args, "variant", "body");
  auto ms = static_cast<int64_t>(GetNumber(args, "retry_after_ms", 2000));
  if (variant == "absurd") ms = INT64_MAX;
  if (variant == "negative") ms = -29970;
  if (variant == "conflict") ms = 1000;
  const auto limit = static_cast<int64_t>(GetNumber(args, "limit", 2));
  const auto interval = static_cast<int64_t>(GetNumber(args, "interval_seconds", 60));
  const double seconds = std::ceil(static_cast<double>(ms) / 1000.0);
  Reply reply = RateLimitReply(model, limit, interval, ms);
  if (variant == "none") reply = ErrorReply(429, "Rate limit exceeded");
  if (variant == "plain") reply = TextReply(429, "text/plain", "Too Many Requests\n");
  if (variant == "with_request_id") {
    reply = JsonReply(429, json::object{{"error", RateLimitText(model, limit, interval, ms)},
                                        {"request_id", id}});
  }
  if (variant == "header_seconds") {
    SetHeader(reply, "Retry-After", std::to_string(static_cast<int64_t>(seconds)));
  }
  if (variant == "header_date") SetHeader(reply, "Retry-After", world.clock.HttpDate(seconds));
  if (variant == "conflict") SetHeader(reply, "Retry-After", GetWord(args, "retry_after", "30"));
  return reply;
}

Reply ServerErrorFault(const json::object& args) {
  const int status = static_cast<int>(GetNumber(args, "status", 500));
  const std::string body = GetString(args, "body", "json");
  if (body == "empty") return TextReply(status, "text/plain", "");
  if (body == "html") {
    return TextReply(status, "text/html",
                     "<html><head><title>Bad Gateway</title></head><body><h1>" +
                         std::to_string(status) + "</h1></body></html>\n");
  }
  return ErrorReply(status, GetString(args, "text", "Internal server error"));
}

Reply ClientErrorFault(const json::object& args) {
  const int status = static_cast<int>(GetNumber(args, "status", 400));
  const std::string text = GetString(args, "text", kRejected);
  const std::string shape = GetString(args, "shape", "error");
  if (shape == "message") return JsonReply(status, json::object{{"message", text}});
  if (shape == "detail") return JsonReply(status, json::object{{"detail", text}});
  if (shape == "object") {
    return JsonReply(status, json::object{{"error", json::object{{"code", status},
                                                                 {"message", text},
                                                                 {"status", "INVALID_INPUT"}}}});
  }
  return ErrorReply(status, text);
}

// An answer like that to an accepted POST, cut off before it says anything of use.
Reply LostReply(World& world, const json::object& args, const std::string& model,
                const std::string& id) {
  const int64_t now = world.clock.Stamp(world.clock.Now());
  Reply reply = JsonReply(world.options.post_status, json::object{{"request_id", id},
                                                                  {"model", model},
                                                                  {"status", "queued"},
                                                                  {"created_at", now},
                                                                  {"updated_at", now},
                                                                  {"queued_at", now}});
  const std::string where = GetString(args, "where", "before_headers");
  reply.delivery.cut = where == "after_headers" ? Cut::kAfterHeaders
                       : where == "mid_body"    ? Cut::kMidBody
                                                : Cut::kBeforeHeaders;
  reply.delivery.reset = GetString(args, "how", "reset") == "reset";
  return reply;
}

void BreakJson(const std::string& variant, Reply& reply) {
  Body& body = reply.body;
  if (variant == "truncated") {
    body.Truncate(body.size() * 2 / 3);
  } else if (variant == "trailing") {
    body.Append("}\n{\"x\":1}");
  } else if (variant == "duplicate_keys" || variant == "invalid_utf8") {
    body.Truncate(body.size() - 1);
    body.Append(variant == "invalid_utf8" ? ",\"note\":\"\xc3\x28\xff\"}"
                                          : ",\"status\":\"failed\",\"status\":\"success\"}");
  } else if (variant == "bom") {
    body.Prepend("\xef\xbb\xbf");
  } else if (variant == "wrong_content_type") {
    SetHeader(reply, "Content-Type", "text/html; charset=utf-8");
  } else if (variant == "broken_chunk") {
    reply.delivery.broken_chunks = true;
  } else if (variant == "gzip") {
    body = Body(GzipStored(body.Flatten()));
    SetHeader(reply, "Content-Encoding", "gzip");
  } else {
    body = Body("<html><body>all is well</body></html>");
  }
}

}  // namespace

Reply JsonReply(int status, const json::value& body) {
  return TextReply(status, "application/json", json::serialize(body));
}

Reply ErrorReply(int status, const std::string& text) {
  return JsonReply(status, json::object{{"error", text}});
}

std::string BackendErrorText(int code) {
  return "Backend error (" + std::to_string(code) + "). Please try again.";
}

std::optional<Refusal> RefuseBy(World& world, const Fault& fault, const std::string& model) {
  const json::object& args = fault.args;
  Refusal out;
  if (GetBool(args, "creates_record", false)) out.leaves = Leaves::kLiveRecord;
  if (fault.name == "rate_limit_429") {
    out.reply = [&world, args, model](const std::string& id) {
      return RateLimitFault(world, args, model, id);
    };
  } else if (fault.name == "capacity_503") {
    const std::string lookup = GetWord(args, "lookup");
    if (lookup == "failed") out.leaves = Leaves::kFailedRecord;
    if (lookup == "live") out.leaves = Leaves::kLiveRecord;
    out.reply = [lookup](const std::string& id) {
      json::object body{{"error", "Upstream capacity temporarily exhausted; please retry later"}};
      if (!lookup.empty()) body["request_id"] = id;
      return JsonReply(503, body);
    };
  } else if (fault.name == "backend_error") {
    if (GetBool(args, "leaves_record", world.options.backend_error_leaves_record)) {
      out.leaves = Leaves::kFailedRecord;
    }
    const int code = static_cast<int>(GetNumber(args, "code", 400));
    out.reply = [code](const std::string&) { return ErrorReply(500, BackendErrorText(code)); };
  } else if (fault.name == "server_error") {
    out.reply = [args](const std::string&) { return ServerErrorFault(args); };
  } else if (fault.name == "client_error") {
    out.reply = [args](const std::string&) { return ClientErrorFault(args); };
  } else if (fault.name == "model_not_found") {
    const bool missing = GetString(args, "text", "missing") == "missing";
    out.reply = [missing, model](const std::string&) {
      return ErrorReply(404, missing ? "model " + model + " does not exist"
                                     : "you do not have access to model " + model);
    };
  } else if (fault.name == "lost") {
    out.reply = [&world, args, model](const std::string& id) {
      return LostReply(world, args, model, id);
    };
  } else {
    return std::nullopt;
  }
  return out;
}

std::optional<Reply> LimitBy(World& world, const Fault& fault, ApiKey& key,
                             const std::string& model) {
  const auto limit = static_cast<int64_t>(GetNumber(fault.args, "limit", 2));
  const auto interval = static_cast<int64_t>(GetNumber(fault.args, "interval_seconds", 60));
  const double now = world.clock.Now();
  std::vector<double>& calls = key.limiter_calls[model];
  std::erase_if(calls, [&](double at) { return at <= now - static_cast<double>(interval); });
  if (static_cast<int64_t>(calls.size()) < limit) {
    calls.push_back(now);
    return std::nullopt;
  }
  const double wait = calls.empty() ? static_cast<double>(interval)
                                    : calls.front() + static_cast<double>(interval) - now;
  // The client waits in real time.
  const auto ms = static_cast<int64_t>(std::ceil(world.clock.RealSeconds(wait) * 1000.0));
  return RateLimitReply(model, limit, interval, std::max<int64_t>(ms, 1));
}

void ApplyHold(World& world, const Fault& slow, Delivery& delivery) {
  delivery.never = GetBool(slow.args, "never", false);
  delivery.until_released = GetBool(slow.args, "until_released", false);
  delivery.hold_seconds = slow.args.contains("real_seconds")
                              ? GetNumber(slow.args, "real_seconds", 0.0)
                              : world.clock.RealSeconds(GetNumber(slow.args, "seconds", 10.0));
}

void ApplyDelivery(World& world, const std::vector<Fault>& faults, Reply& reply) {
  for (const Fault& fault : faults) {
    if (fault.name == "slow" && GetString(fault.args, "accept") != "after") {
      ApplyHold(world, fault, reply.delivery);
    } else if (fault.name == "bad_json") {
      BreakJson(GetString(fault.args, "variant", "truncated"), reply);
    } else if (fault.name == "accepted_then_lost") {
      reply.delivery.cut = LostReply(world, fault.args, "", "").delivery.cut;
      reply.delivery.reset = GetString(fault.args, "how", "reset") == "reset";
    } else if (fault.name == "connection_close") {
      reply.delivery.close_after = true;
    } else if (fault.name == "idle_close") {
      if (GetString(fault.args, "mode", "on_next_request") == "after") {
        reply.delivery.idle_close_seconds = GetNumber(fault.args, "seconds", 0.05);
      } else {
        reply.delivery.reset_on_next_request = true;
      }
    }
  }
}

}  // namespace lumaedit::simulator
