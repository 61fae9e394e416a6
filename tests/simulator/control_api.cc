#include "control_api.h"

#include <memory>
#include <utility>

#include "digest.h"
#include "edit_rules.h"
#include "fault_answers.h"
#include "json_get.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

constexpr char kPrefix[] = "/control/";

json::object DescribeRecord(const World& world, const Record& record) {
  const double now = world.clock.Now();
  json::array steps;
  for (const Step& step : record.steps) {
    if (step.at > now) continue;
    steps.push_back(json::object{{"status", step.status},
                                 {"virtual_seconds", step.at},
                                 {"unix_ms", world.clock.UnixMillis(step.at)}});
  }
  json::object out{{"request_id", record.id},
                   {"org_id", record.org},
                   {"model", record.submission.model},
                   {"status", record.StatusAt(now)},
                   {"final", IsFinalStatus(record.StatusAt(now))},
                   {"created_at", world.clock.Stamp(record.created)},
                   {"created_unix_ms", world.clock.UnixMillis(record.created)},
                   {"last_change_unix_ms", world.clock.UnixMillis(record.StepAt(now).at)},
                   {"prompt", record.submission.prompt},
                   {"prompt_sha256", Sha256Hex(record.submission.prompt)},
                   {"payload_sha256", record.submission.payload_sha256},
                   {"fingerprint", record.submission.fingerprint},
                   {"source_data_sha256", record.submission.source_data_sha256},
                   {"source_data_chars", record.submission.source_data_chars},
                   {"source_seconds", record.source_seconds},
                   {"generation_id", record.generation_id},
                   {"accepted", record.accepted},
                   {"charged_usd_micros", record.charged_usd_micros},
                   {"refunded", record.refunded},
                   {"visible", record.listed && record.visible_at <= now},
                   {"by_id", record.by_id},
                   {"echo_kept", record.submission.raw_owner != nullptr},
                   {"polls", record.polls},
                   {"list_reads", record.list_reads},
                   {"steps", steps}};
  if (record.last_poll_unix_ms) out["last_poll_unix_ms"] = *record.last_poll_unix_ms;
  if (record.final_seen_unix_ms) out["final_seen_unix_ms"] = *record.final_seen_unix_ms;
  return out;
}

}  // namespace

Reply ControlApi::OnRequest(const Request& request) {
  if (!request.path.starts_with(kPrefix)) return ErrorReply(404, "not a control path");
  const std::string what = request.path.substr(sizeof(kPrefix) - 1);
  if (request.method == "GET") return Get(what);
  if (request.method == "DELETE" && what == "faults") {
    world_.faults.Clear();
    return JsonReply(200, json::object{{"faults", world_.faults.Describe()}});
  }
  if (request.method != "POST") return ErrorReply(405, "method not allowed");
  json::object body;
  if (!request.body->empty()) {
    json::error_code code;
    json::value parsed = json::parse(*request.body, code);
    if (code || !parsed.is_object()) return ErrorReply(400, "the body must be a JSON object");
    body = std::move(parsed.get_object());
  }
  return Post(what, body);
}

Reply ControlApi::Get(const std::string& what) {
  world_.Settle();
  if (what == "ledger") return JsonReply(200, Ledger());
  if (what == "records") return JsonReply(200, json::object{{"records", Records()}});
  if (what == "requests") return JsonReply(200, Requests());
  if (what == "faults") return JsonReply(200, json::object{{"faults", world_.faults.Describe()}});
  if (what == "catalogue") {
    json::array entries;
    for (const CatalogueEntry& entry : Catalogue()) {
      json::array on;
      for (const char* point : {"post", "get", "list", "output", "models", "upload"}) {
        if (entry.points & PointOf(point)) on.push_back(point);
      }
      entries.push_back(json::object{{"number", entry.number},
                                     {"fault", entry.name},
                                     {"on", on},
                                     {"marker_sets", entry.main_argument},
                                     {"variants", json::parse(entry.variants)}});
    }
    return JsonReply(200, json::object{{"catalogue", entries}});
  }
  return ErrorReply(404, "unknown control path");
}

Reply ControlApi::Post(const std::string& what, const json::object& body) {
  static constexpr std::string_view kOneRecord = "records/";
  if (what == "faults" || what == "random") {
    const std::string error = what == "faults" ? world_.faults.Add(body, world_.clock.Now())
                                               : world_.faults.SetRandom(body);
    if (!error.empty()) return ErrorReply(400, error);
    return JsonReply(200, json::object{{"faults", world_.faults.Describe()}});
  }
  if (what == "advance") {
    world_.clock.Advance(GetNumber(body, "seconds", 0.0));
    return JsonReply(200, json::object{{"virtual_seconds", world_.clock.Now()}});
  }
  if (what == "release") {
    world_.release_held();
    return JsonReply(200, json::object());
  }
  if (what == "reset") {
    world_.faults.Clear();
    world_.records.Clear();
    world_.requests.clear();
    world_.uploads.clear();
    world_.options = world_.initial_options;
    for (const auto& key : world_.keys) {
      key->posts_started = key->posts_seen = key->posts_accepted = 0;
      key->charged_usd_micros = key->refunded_usd_micros = 0;
      key->limiter_calls.clear();
      key->refused_with = 0;
    }
    return JsonReply(200, json::object());
  }
  if (what == "records") return MakeRecord(body);
  if (what.starts_with(kOneRecord)) return ForceRecord(what.substr(kOneRecord.size()), body);
  if (what == "keys") return ChangeKey(body);
  if (what == "scenario") return ChangeScenario(body);
  return ErrorReply(404, "unknown control path");
}

json::object ControlApi::Ledger() {
  json::array keys;
  uint64_t seen = 0;
  uint64_t accepted = 0;
  int64_t charged = 0;
  int64_t refunded = 0;
  for (const auto& key : world_.keys) {
    json::array posts;
    for (const auto& record : world_.records.all()) {
      if (record->accepted && record->key == key->secret) {
        posts.push_back(DescribeRecord(world_, *record));
      }
    }
    seen += key->posts_seen;
    accepted += key->posts_accepted;
    charged += key->charged_usd_micros;
    refunded += key->refunded_usd_micros;
    keys.push_back(json::object{{"key_sha256", Sha256Hex(key->secret)},
                                {"org_id", key->org},
                                {"refused_with", key->refused_with},
                                {"posts_started", key->posts_started},
                                {"posts_seen", key->posts_seen},
                                {"posts_accepted", key->posts_accepted},
                                {"charged_usd_micros", key->charged_usd_micros},
                                {"refunded_usd_micros", key->refunded_usd_micros},
                                {"accepted", posts}});
  }
  return {{"posts_seen", seen},
          {"posts_accepted", accepted},
          {"charged_usd_micros", charged},
          {"refunded_usd_micros", refunded},
          {"keys", keys}};
}

json::array ControlApi::Records() {
  json::array out;
  for (const auto& record : world_.records.all()) out.push_back(DescribeRecord(world_, *record));
  return out;
}

json::object ControlApi::Requests() const {
  json::object kinds;
  for (const auto& [kind, count] : world_.requests) {
    json::object statuses;
    for (const auto& [status, number] : count.by_status) statuses[std::to_string(status)] = number;
    kinds[kind] = json::object{{"count", count.count},
                               {"bytes_in", count.bytes_in},
                               {"bytes_out", count.bytes_out},
                               {"bytes_sent", count.bytes_sent},
                               {"by_status", statuses}};
  }
  json::object records;
  const double now = world_.clock.Now();
  for (const auto& record : world_.records.all()) {
    json::object item{{"polls", record->polls},
                      {"list_reads", record->list_reads},
                      {"status", record->StatusAt(now)},
                      {"last_change_unix_ms", world_.clock.UnixMillis(record->StepAt(now).at)}};
    if (record->last_poll_unix_ms) item["last_poll_unix_ms"] = *record->last_poll_unix_ms;
    if (record->final_seen_unix_ms) item["final_seen_unix_ms"] = *record->final_seen_unix_ms;
    records[record->id] = item;
  }
  return {{"connections", world_.connections},
          {"now_unix_ms", world_.clock.UnixMillisNow()},
          {"virtual_seconds", now},
          {"kinds", kinds},
          {"records", records}};
}

Reply ControlApi::MakeRecord(const json::object& body) {
  if (world_.keys.empty()) return ErrorReply(400, "there is no key");
  auto record = std::make_unique<Record>();
  record->id = GetString(body, "request_id", world_.random.Uuid());
  record->generation_id = world_.random.Uuid();
  record->org = GetString(body, "org_id", world_.keys.front()->org);
  record->user = world_.random.Uuid();
  Submission& submission = record->submission;
  submission.model = GetString(body, "model", kEditModel);
  const json::value* payload = body.if_contains("payload");
  if (payload != nullptr && payload->is_object()) submission.payload = payload->get_object();
  submission.prompt = GetString(submission.payload, "prompt");
  submission.raw_owner = std::make_shared<const std::string>(json::serialize(submission.payload));
  submission.raw = *submission.raw_owner;
  record->source_seconds = GetNumber(body, "source_seconds", world_.options.source_seconds);
  record->created = world_.clock.Now();
  const auto offset = static_cast<int64_t>(GetNumber(body, "created_offset_seconds", 0.0));
  if (offset != 0) {
    for (const char* key : {"created_at", "updated_at", "queued_at"}) {
      record->forced[key] = world_.clock.Stamp(record->created) + offset;
    }
  }
  record->steps = {{record->created, GetString(body, "status", "processing")}};
  // Made in the web console: in the list, but 404 by id (upstream.md section 5.3).
  record->by_id = GetBool(body, "by_id", false);
  record->listed = GetBool(body, "listed", true);
  record->visible_at = GetNumber(body, "visible_after_seconds", 0.0) + world_.clock.Now();
  if (const json::value* outcome = body.if_contains("outcome"))
    record->forced["outcome"] = *outcome;
  return JsonReply(200, DescribeRecord(world_, world_.records.Add(std::move(record))));
}

Reply ControlApi::ForceRecord(const std::string& id, const json::object& body) {
  Record* record = world_.records.Find(id);
  if (record == nullptr) return ErrorReply(404, "no such record");
  for (const auto& member : body) {
    const std::string key(member.key());
    if (key == "status" && member.value().is_string()) {
      record->forced.erase("status");
      record->ForceStatus(world_.clock.Now(), std::string(member.value().get_string()));
    } else if (key == "by_id" && member.value().is_bool()) {
      record->by_id = member.value().get_bool();
    } else if (key == "listed" && member.value().is_bool()) {
      record->listed = member.value().get_bool();
      record->visible_at = 0.0;
    } else {
      record->forced[key] = member.value();
    }
  }
  world_.Settle();
  return JsonReply(200, DescribeRecord(world_, *record));
}

Reply ControlApi::ChangeKey(const json::object& body) {
  const std::string secret = GetString(body, "key");
  if (secret.empty()) return ErrorReply(400, "key is required");
  ApiKey& key = world_.AddKey(secret, GetString(body, "org"));
  if (GetBool(body, "revoked", false)) {
    key.refused_with = static_cast<int>(GetNumber(body, "status", 401));
  }
  return JsonReply(200, json::object{{"org_id", key.org}, {"refused_with", key.refused_with}});
}

Reply ControlApi::ChangeScenario(const json::object& body) {
  Options& options = world_.options;
  options.first_status = GetString(body, "first_status", options.first_status);
  options.validation = GetString(body, "validation", options.validation);
  options.outcome_shape = GetString(body, "outcome_shape", options.outcome_shape);
  options.source_seconds = GetNumber(body, "source_seconds", options.source_seconds);
  options.output_expiry_seconds =
      GetNumber(body, "output_expiry_seconds", options.output_expiry_seconds);
  options.backend_error_leaves_record =
      GetBool(body, "backend_error_leaves_record", options.backend_error_leaves_record);
  options.post_status = static_cast<int>(GetNumber(body, "post_status", options.post_status));
  if (body.contains("queue_seconds")) {
    options.fixed_queue_seconds = GetNumber(body, "queue_seconds", 0.0);
  }
  if (body.contains("run_seconds")) options.fixed_run_seconds = GetNumber(body, "run_seconds", 0.0);
  if (body.contains("time_factor")) world_.clock.SetFactor(GetNumber(body, "time_factor", 1.0));
  if (body.contains("clock_offset_seconds")) {
    world_.clock.SetOffset(GetNumber(body, "clock_offset_seconds", 0.0));
  }
  return JsonReply(200, json::object());
}

}  // namespace lumaedit::simulator
