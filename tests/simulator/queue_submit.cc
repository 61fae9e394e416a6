// The POST half of QueueApi.
#include <utility>

#include "edit_rules.h"
#include "json_get.h"
#include "models_api.h"
#include "queue_api.h"
#include "record_view.h"
#include "scenario.h"

namespace lumaedit::simulator {
namespace {

const Fault* Find(const std::vector<Fault>& faults, const char* name) {
  for (const Fault& fault : faults) {
    if (fault.name == name) return &fault;
  }
  return nullptr;
}

Reply BodyReply(int status, Body body) {
  Reply reply;
  reply.status = status;
  reply.headers.emplace_back("Content-Type", "application/json");
  reply.body = std::move(body);
  return reply;
}

}  // namespace

Reply QueueApi::Post(const Request& request, ApiKey& key) {
  ++key.posts_seen;
  auto error = std::make_shared<std::string>();
  auto submission = std::make_shared<std::optional<Submission>>(
      ParseSubmission(request.body, request.short_body, error.get()));
  Situation situation{kPost, {}, key.secret, "", world_.clock.Now()};
  situation.prompts.push_back(*submission ? std::string_view((*submission)->prompt)
                                          : std::string_view());
  std::vector<Fault> faults = world_.faults.Take(situation);
  const Fault* slow = Find(faults, "slow");
  if (slow == nullptr || GetString(slow->args, "accept") != "after") {
    return Decide(key, *submission, *error, faults);
  }
  // Accepted only once the wait is over, perhaps after the client has given up.
  Reply reply;
  ApplyHold(world_, *slow, reply.delivery);
  reply.after_hold = [this, secret = key.secret, submission, error, faults] {
    return Decide(*world_.FindKey(secret), *submission, *error, faults);
  };
  return reply;
}

Reply QueueApi::Decide(ApiKey& key, const std::optional<Submission>& submission,
                       const std::string& error, const std::vector<Fault>& faults) {
  const std::string model = submission ? submission->model : kEditModel;
  for (const Fault& fault : faults) {
    std::optional<Reply> refused;
    if (fault.name == "limiter") refused = LimitBy(world_, fault, key, model);
    if (fault.name == "auth_change" && !fault.args.contains("after_polls")) {
      const int status = static_cast<int>(GetNumber(fault.args, "status", 401));
      if (GetBool(fault.args, "revoke", true)) key.refused_with = status;
      refused = ErrorReply(status, "API key has been revoked");
    }
    if (auto refusal = RefuseBy(world_, fault, model)) {
      refused = Refuse(key, submission, faults, *refusal);
    }
    if (!refused) continue;
    ApplyDelivery(world_, faults, *refused);
    return *refused;
  }
  Reply reply;
  const std::optional<std::string> wrong =
      submission
          ? RefusalOf(*submission, SourceSeconds(submission->prompt, world_.options.source_seconds))
          : std::nullopt;
  if (!submission) {
    reply = ErrorReply(400, error);
  } else if (!IsListedModel(submission->model)) {
    reply = ErrorReply(404, "model " + submission->model + " does not exist");
  } else if (submission->model == kEditModel && wrong) {
    if (world_.options.validation == "vendor") {
      if (world_.options.backend_error_leaves_record) {
        AddRefusedRecord(world_, key, *submission, *wrong);
      }
      reply = ErrorReply(500, BackendErrorText(400));
    } else {
      reply = ErrorReply(400, *wrong);
    }
  } else {
    reply = Accept(key, *submission, faults);
  }
  ApplyDelivery(world_, faults, reply);
  return reply;
}

Reply QueueApi::Accept(ApiKey& key, const Submission& submission,
                       const std::vector<Fault>& faults) {
  const Fault* limit = Find(faults, "source_limit");
  if (limit != nullptr && GetString(limit->args, "at", "late") == "post" &&
      SourceSeconds(submission.prompt, world_.options.source_seconds) >
          GetNumber(limit->args, "limit_seconds", 18.0)) {
    return ErrorReply(500, BackendErrorText(static_cast<int>(GetNumber(limit->args, "code", 422))));
  }
  const Fault* failure = Find(faults, "sync_failure");
  if (failure != nullptr && GetWord(failure->args, "style", "200") == "400") {
    static constexpr char kText[] =
        "Generation rejected; please review the prompt and parameters then retry";
    const Record& record = AddRefusedRecord(world_, key, submission, kText);
    return JsonReply(400, boost::json::object{{"error", kText}, {"request_id", record.id}});
  }
  const Record& record = AcceptSubmission(world_, key, submission, faults);
  const bool sync = failure != nullptr || Find(faults, "sync_success") != nullptr;
  return BodyReply(world_.options.post_status,
                   RenderRecord(world_, record, sync ? RecordForm::kFull : RecordForm::kShort, {}));
}

Reply QueueApi::Refuse(ApiKey& key, const std::optional<Submission>& submission,
                       const std::vector<Fault>& faults, const Refusal& refusal) {
  if (!submission || refusal.leaves == Leaves::kNothing) {
    return refusal.reply(world_.random.Uuid());
  }
  const Record& record =
      refusal.leaves == Leaves::kFailedRecord
          ? AddRefusedRecord(world_, key, *submission, "Upstream refused the request")
          : AcceptSubmission(world_, key, *submission, faults);
  return refusal.reply(record.id);
}

}  // namespace lumaedit::simulator
