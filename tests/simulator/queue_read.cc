// The GET half of QueueApi.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "edit_rules.h"
#include "json_get.h"
#include "queue_api.h"
#include "record_view.h"

namespace lumaedit::simulator {
namespace {

int64_t ReadInteger(const Request& request, const char* name, int64_t fallback) {
  const auto found = request.query.find(name);
  if (found == request.query.end() || found->second.empty()) return fallback;
  const int64_t value = std::strtoll(found->second.c_str(), nullptr, 10);
  return value < 0 ? fallback : value;
}

bool HasVariant(const std::vector<Fault>& faults, const char* variant) {
  return std::any_of(faults.begin(), faults.end(), [&](const Fault& fault) {
    return fault.name == "list_quirk" && GetString(fault.args, "variant") == variant;
  });
}

Reply BodyReply(Body body) {
  Reply reply;
  reply.headers.emplace_back("Content-Type", "application/json");
  reply.body = std::move(body);
  return reply;
}

}  // namespace

std::optional<Reply> QueueApi::RefuseRead(ApiKey& key, const std::vector<Fault>& faults,
                                          const std::string& model, const std::string& id) {
  for (const Fault& fault : faults) {
    std::optional<Reply> refused;
    if (fault.name == "limiter") refused = LimitBy(world_, fault, key, "read:" + model);
    if (fault.name == "auth_change") {
      const int status = static_cast<int>(GetNumber(fault.args, "status", 401));
      if (GetBool(fault.args, "revoke", true)) key.refused_with = status;
      refused = ErrorReply(status, "API key has been revoked");
    }
    if (fault.name == "get_flap") {
      refused = ErrorReply(static_cast<int>(GetNumber(fault.args, "status", 404)), "not found");
    }
    if (auto refusal = RefuseBy(world_, fault, model)) refused = refusal->reply(id);
    if (!refused) continue;
    ApplyDelivery(world_, faults, *refused);
    return refused;
  }
  return std::nullopt;
}

Reply QueueApi::Get(ApiKey& key, const std::string& id) {
  Record* record = world_.records.Find(id);
  if (record != nullptr && record->org != key.org) record = nullptr;
  const double now = world_.clock.Now();
  Situation situation{kGet, {}, key.secret, id, now};
  if (record != nullptr) situation.prompts.push_back(record->submission.prompt);
  std::vector<Fault> faults = world_.faults.Take(situation);
  if (record != nullptr) {
    ++record->polls;
    record->last_poll_unix_ms = world_.clock.UnixMillisNow();
    // Faults that came with the POST and show in the polls.
    if (const Fault* flap = record->FindFault("get_flap")) {
      const double polls = GetNumber(flap->args, "polls", 2);
      if (polls < 0 || static_cast<double>(record->polls) <= polls) faults.push_back(*flap);
    }
    const Fault* change = record->FindFault("auth_change");
    if (change != nullptr &&
        static_cast<double>(record->polls) > GetNumber(change->args, "after_polls", 1)) {
      // Once only: a key that is let in again stays in.
      faults.push_back(*change);
      std::erase_if(record->faults, [](const Fault& f) { return f.name == "auth_change"; });
    }
  }
  if (auto refused = RefuseRead(key, faults, kEditModel, id)) return *refused;
  Reply reply;
  if (record == nullptr || !record->by_id) {
    reply = ErrorReply(404, "request not found");
  } else {
    reply = BodyReply(RenderRecord(world_, *record, RecordForm::kFull, faults));
    if (!record->final_seen_unix_ms && IsFinalStatus(record->StatusAt(now))) {
      record->final_seen_unix_ms = world_.clock.UnixMillisNow();
    }
  }
  ApplyDelivery(world_, faults, reply);
  return reply;
}

void QueueApi::AddForeignRecord(const ApiKey& key) {
  auto record = std::make_unique<Record>();
  record->id = world_.random.Uuid();
  record->generation_id = world_.random.Uuid();
  record->org = key.org;
  record->user = world_.random.Uuid();
  record->submission.model = kEditModel;
  record->submission.raw_owner = std::make_shared<const std::string>(
      R"({"prompt":"made elsewhere","source_generation_id":"00000000-0000-4000-8000-000000000001"})");
  record->submission.raw = *record->submission.raw_owner;
  record->created = world_.clock.Now();
  record->steps = {{record->created, "processing"}};
  record->by_id = false;
  world_.records.Add(std::move(record));
}

Reply QueueApi::List(const Request& request, ApiKey& key) {
  const double now = world_.clock.Now();
  const auto collect = [&] {
    const auto filter = request.query.find("model_id");
    std::vector<Record*> found;
    for (const auto& record : world_.records.all()) {
      if (record->org != key.org || !record->listed || record->visible_at > now) continue;
      if (filter != request.query.end() && record->submission.model != filter->second) continue;
      found.push_back(record.get());
    }
    std::reverse(found.begin(), found.end());
    return found;
  };
  std::vector<Record*> found = collect();
  Situation situation{kList, {}, key.secret, "", now};
  for (const Record* record : found) situation.prompts.push_back(record->submission.prompt);
  std::vector<Fault> faults = world_.faults.Take(situation);
  if (auto refused = RefuseRead(key, faults, kEditModel, "")) return *refused;
  if (HasVariant(faults, "shift")) {
    AddForeignRecord(key);
    found = collect();
  }
  if (HasVariant(faults, "oldest_first")) std::reverse(found.begin(), found.end());

  const auto limit = static_cast<size_t>(
      std::min<int64_t>(ReadInteger(request, "limit", world_.options.list_limit_default),
                        world_.options.list_limit_max));
  const auto offset = static_cast<size_t>(ReadInteger(request, "offset", 0));
  const size_t begin = std::min(offset, found.size());
  const size_t end = std::min(begin + limit, found.size());
  Body body("{\"requests\":[");
  for (size_t i = begin; i < end; ++i) {
    if (i > begin) body.Append(",");
    ++found[i]->list_reads;
    body.Append(RenderRecord(world_, *found[i], RecordForm::kFull, faults));
  }
  std::string tail = "]";
  if (!HasVariant(faults, "no_total")) tail += ",\"total\":" + std::to_string(found.size());
  if (!HasVariant(faults, "no_has_more")) {
    tail += std::string(",\"has_more\":") + (end < found.size() ? "true" : "false");
  }
  body.Append(tail + "}");
  Reply reply = BodyReply(std::move(body));
  ApplyDelivery(world_, faults, reply);
  return reply;
}

}  // namespace lumaedit::simulator
