#include "server/job/attempt_driver.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/base/backoff.h"
#include "server/base/crash_point.h"
#include "server/base/signal.h"
#include "server/job/late_outcome_rule.h"
#include "server/job/payload.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

void NoteRateLimit(const Fact& fact, const std::optional<RateLimit>& told, AttemptReport& report) {
  if (fact.kind != FactKind::kNotAccepted || fact.http_status != 429) return;
  report.is_rate_limit = true;
  report.hold = fact.retry_after;
  report.rate_limit = told;
}

}  // namespace

// One POST under way. Shared by the dispatcher's task, which waits at most `answer_wait`, and by
// the task that converses, which reads on for the fact.
struct AttemptDriver::Exchange {
  Exchange(const EngineDeps& deps, Job j, int failures)
      : job(std::move(j)), unsent_failures(failures), progress(deps.executor, deps.clock) {}

  Job job;          // as it was when the attempt began
  std::string key;  // the name of the only key that it is made with
  int unsent_failures;
  absl::Duration start_deadline = absl::InfiniteDuration();  // uptime
  Attempt attempt;
  absl::Status seal_status = absl::UnknownError("not asked");
  bool sealed = false;
  bool broken = false;                  // it ended by a bug
  std::optional<AttemptReport> report;  // set when it is over
  Signal progress;                      // sealed, or over
  OnLate on_late;                       // set when nobody waits for the report any more
};

class AttemptDriver::Gate final : public LastByteGate {
 public:
  Gate(EngineContext& context, Exchange& exchange) : context_(context), exchange_(exchange) {}

  asio::awaitable<bool> Seal() override {
    if (context_.draining() || !context_.LeaseGoodFor(context_.settings().dispatch.lease_margin)) {
      exchange_.seal_status = absl::AbortedError("draining, or the lease is too short");
      co_return false;
    }
    if (context_.dispatch_paused()) {
      exchange_.seal_status = absl::AbortedError("dispatch was paused during the upload");
      co_return false;
    }
    if (context_.clock().Uptime() >= exchange_.start_deadline) {
      // Back to the dispatcher, which ends it.
      exchange_.seal_status = absl::AbortedError("start_within is over");
      co_return false;
    }
    const Lease lease = context_.lease();
    auto change = co_await Offload(context_.deps().store_worker, [this, &lease] {
      return context_.deps().store.Seal(lease, exchange_.attempt);
    });
    exchange_.seal_status = change.status();
    if (!change.ok()) {
      // It may have been sealed all the same: watchers are told what the store has.
      if (absl::IsUnavailable(change.status())) context_.deps().hub.Refresh(exchange_.job.caller);
      co_return false;
    }
    exchange_.sealed = true;
    // Sealing wrote the attempt's number; it is the newest one of the job.
    auto view = co_await context_.View(exchange_.job.id);
    if (view.ok() && !view->attempts.empty()) exchange_.attempt = view->attempts.back();
    CrashPoint("dispatch.sealed");
    context_.Committed(*change);
    exchange_.progress.Notify();
    // Without its number the attempt's facts could not be recorded: it must not be sent.
    co_return exchange_.attempt.number > 0;
  }

  bool MayGiveLastByte() override {
    return !context_.draining() && context_.LeaseGoodFor(absl::ZeroDuration());
  }

  void LastByteGiven() override {}

 private:
  EngineContext& context_;
  Exchange& exchange_;
};

asio::awaitable<AttemptReport> AttemptDriver::Run(std::string job_id, int unsent_failures,
                                                  absl::Duration start_deadline, OnLate on_late) {
  auto view = co_await context_.View(job_id);
  if (!view.ok()) {
    co_return AttemptReport{.kind = AttemptReport::Kind::kNotSent,
                            .wait = NextDelay(unsent_failures + 1, absl::ZeroDuration())};
  }
  const Job& job = view->job;
  if (job.state != JobState::kPending) co_return AttemptReport{};

  auto exchange = std::make_shared<Exchange>(context_.deps(), job, unsent_failures);
  exchange->start_deadline = start_deadline;
  PostRequest request;
  request.model = kEditModel;
  request.account = context_.deps().upstream.Account();
  request.payload = PayloadFor(job.edit);
  request.caller = job.caller;
  if (const auto* stored = std::get_if<StoredSource>(&job.edit.source)) request.source = *stored;

  exchange->key = request.account;
  exchange->attempt.job_id = job.id;
  exchange->attempt.account = context_.accounts().Canonical(request.account);
  exchange->attempt.model = request.model;
  exchange->attempt.fingerprint = PayloadFingerprint(request.payload);

  const bool is_blocked = co_await IsBlocked(exchange->attempt);
  if (is_blocked) {
    co_return AttemptReport{.kind = AttemptReport::Kind::kEqualPayload,
                            .wait = EqualPayloadWait(unsent_failures)};
  }

  context_.tasks().Spawn("post", Converse(exchange, std::move(request)),
                         [exchange](const std::string&) {
                           exchange->broken = true;
                           exchange->progress.Notify();
                         });
  while (!exchange->report && !exchange->sealed && !exchange->broken) {
    co_await exchange->progress.WaitFor(absl::Minutes(10));
  }
  const absl::Duration until = context_.clock().Uptime() + context_.settings().dispatch.answer_wait;
  while (!exchange->report && !exchange->broken && context_.clock().Uptime() < until) {
    co_await exchange->progress.WaitFor(until - context_.clock().Uptime());
  }
  if (exchange->report) co_return *exchange->report;
  if (!exchange->sealed) {
    co_return AttemptReport{.kind = AttemptReport::Kind::kNotSent,
                            .wait = NextDelay(unsent_failures + 1, absl::ZeroDuration())};
  }

  context_.log().Warning("post_answer_late",
                         {{"job", job_id}, {"attempt", exchange->attempt.number}});
  (co_await context_.Update(job_id, [](const JobView& now) {
    return DecideUnconfirmed(now);
  })).IgnoreError();
  if (exchange->report) co_return *exchange->report;  // it came meanwhile
  exchange->on_late = std::move(on_late);
  co_return AttemptReport{.kind = AttemptReport::Kind::kNoAnswerYet, .unclear = true};
}

asio::awaitable<void> AttemptDriver::Converse(std::shared_ptr<Exchange> exchange,
                                              PostRequest request) {
  Gate gate(context_, *exchange);
  PostResult result = co_await context_.deps().upstream.Post(std::move(request), gate);
  context_.LearnDate(result.upstream_date);
  if (!result.last_byte_given && result.fact.kind == FactKind::kAccepted) {
    context_.log().Error("short_body_accepted",
                         {{"job", exchange->job.id}, {"upstream_id", result.fact.upstream_id}});
  }
  // Not by ?: with two co_awaits, of which gcc 12 runs both.
  if (exchange->sealed) {
    exchange->report = co_await Conclude(*exchange, std::move(result));
  } else {
    exchange->report = co_await ConcludeUnsealed(*exchange, std::move(result));
  }
  exchange->progress.Notify();
  if (exchange->on_late) exchange->on_late(*exchange->report);
}

asio::awaitable<AttemptReport> AttemptDriver::Conclude(Exchange& exchange, PostResult result) {
  Fact fact = std::move(result.fact);
  const bool in_doubt = fact.kind == FactKind::kUnclear || fact.kind == FactKind::kRefusedInWords;
  if (!result.last_byte_given && in_doubt) {
    fact.kind = FactKind::kNotAccepted;  // whatever broke, the body was short (assumption A1)
    fact.upstream_id.clear();
  }
  const absl::Time now = context_.clock().Now();
  fact.record_time = now;
  if (IsSet(result.upstream_date)) fact.upstream_offset = OffsetOf(result.upstream_date, now);
  (co_await context_.RecordFact(exchange.job.id, exchange.attempt.number, fact, /*ended=*/true))
      .IgnoreError();
  CrashPoint("dispatch.recorded");

  FactInput input;
  input.now = now;
  input.most_refusals = context_.settings().dispatch.most_refusals;
  input.wait = NextDelay(exchange.job.refusals + 1, fact.retry_after);
  AttemptReport report{.kind = AttemptReport::Kind::kSettled};
  report.answered = fact.http_status != 0;
  NoteRateLimit(fact, result.rate_limit, report);
  if (fact.kind == FactKind::kEveryoneRefused) {
    input.everyone = co_await AskAboutKey(exchange, fact.http_status);
    const bool may_send_again = input.everyone == EveryoneMeaning::kPaused;
    if (may_send_again && KeyChanged(exchange)) {
      report.answered = false;
    } else if (may_send_again) {
      report.kind = AttemptReport::Kind::kEveryoneRefused;
    }
  }
  auto change = co_await context_.Update(
      exchange.job.id, [input](const JobView& view) { return DecideOnFacts(view, input); });
  if (absl::IsAlreadyExists(change.status())) {
    // Another job owns the id that this answer names: one of the two is wrong about it.
    context_.log().Error("upstream_id_owned_twice",
                         {{"job", exchange.job.id}, {"upstream_id", fact.upstream_id}});
    input.distrust_accepted = true;
    change = co_await context_.Update(
        exchange.job.id, [input](const JobView& view) { return DecideOnFacts(view, input); });
  }
  if (change.ok() && change->job.state == JobState::kSubmitting) {
    // What was learned could not be recorded: the job is in doubt, and looked for.
    change = co_await context_.Update(exchange.job.id,
                                      [](const JobView& view) { return DecideUnconfirmed(view); });
  }
  report.unclear = change.ok() && change->job.state == JobState::kUnconfirmed;
  co_return report;
}

asio::awaitable<AttemptReport> AttemptDriver::ConcludeUnsealed(Exchange& exchange,
                                                               PostResult result) {
  if (absl::IsUnavailable(exchange.seal_status)) {
    // The answer to the commit may have been lost: then the job is SUBMITTING and nobody's. The
    // dispatcher sends one POST of a job at a time, so an attempt without facts is this one.
    auto view = co_await context_.View(exchange.job.id);
    if (view.ok() && view->job.state == JobState::kSubmitting && !view->attempts.empty() &&
        view->attempts.back().facts.empty()) {
      exchange.attempt = view->attempts.back();
      result.last_byte_given = false;
      co_return co_await Conclude(exchange, std::move(result));
    }
  }
  if (result.fact.kind == FactKind::kAccepted) {
    co_return co_await ConcludeShortBody(exchange, std::move(result));
  }
  AttemptReport report{.kind = AttemptReport::Kind::kNotSent};
  if (absl::IsFailedPrecondition(exchange.seal_status)) co_return AttemptReport{};
  if (absl::IsAlreadyExists(exchange.seal_status)) {
    report.kind = AttemptReport::Kind::kEqualPayload;
    report.wait = EqualPayloadWait(exchange.unsent_failures);
    co_return report;
  }
  if (absl::IsAborted(exchange.seal_status)) {
    report.kind = AttemptReport::Kind::kLeaseShort;
    report.wait = absl::Seconds(1);
    co_return report;
  }
  Fact& fact = result.fact;
  report.wait = NextDelay(exchange.unsent_failures + 1, fact.retry_after);
  switch (fact.kind) {
    case FactKind::kAccepted:
      break;
    case FactKind::kEditRefused: {
      const JobError error = fact.error.value_or(JobError{});
      EngineContext::OwnedDecide decide =
          [error](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
        if (view.job.state != JobState::kPending) return std::nullopt;
        Decision decision;
        decision.job = view.job;
        const bool named = error.reason != ErrorReason::kUnspecified;
        Fail(decision.job, named ? error.reason : ErrorReason::kUpstreamRefused, error.message,
             error.may_succeed_if_submitted_again);
        decision.job.error->upstream_code = error.upstream_code;
        decision.job.error->upstream_message = error.upstream_message;
        return decision;
      };
      (co_await context_.Update(exchange.job.id, std::move(decide))).IgnoreError();
      co_return AttemptReport{.kind = AttemptReport::Kind::kSettled, .answered = true};
    }
    case FactKind::kEveryoneRefused: {
      const EveryoneMeaning meaning = co_await AskAboutKey(exchange, fact.http_status);
      if (meaning == EveryoneMeaning::kPaused) {
        if (!KeyChanged(exchange)) report.kind = AttemptReport::Kind::kEveryoneRefused;
        co_return report;
      }
      (co_await context_.Update(exchange.job.id,
                                [](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
                                  if (view.job.state != JobState::kPending) return std::nullopt;
                                  Decision decision;
                                  decision.job = view.job;
                                  Fail(decision.job, ErrorReason::kUpstreamNotEntitled,
                                       "the upstream account may not make this edit", false);
                                  return decision;
                                }))
          .IgnoreError();
      co_return AttemptReport{.kind = AttemptReport::Kind::kSettled, .answered = true};
    }
    case FactKind::kNotAccepted:
      // No answer at all: the upstream was not reached, or the edit's own source cannot be read.
      if (fact.http_status == 0) {
        context_.log().Warning(
            "post_not_sent",
            {{"job", exchange.job.id}, {"http_status", 0}, {"note", NoteToLog(0, fact.note)}});
      }
      NoteRateLimit(fact, result.rate_limit, report);
      co_return report;
    case FactKind::kRefusedInWords:
    case FactKind::kUnclear:
      context_.log().Warning("post_not_sent", {{"job", exchange.job.id},
                                               {"http_status", fact.http_status},
                                               {"note", NoteToLog(fact.http_status, fact.note)}});
      // What the answer said counts less than the byte that was kept: nothing can exist upstream.
      co_return report;
  }
  co_return report;
}

asio::awaitable<AttemptReport> AttemptDriver::ConcludeShortBody(Exchange& exchange,
                                                                PostResult result) {
  result.last_byte_given = false;
  Attempt& attempt = exchange.attempt;
  attempt.seal_time = result.fact.record_time = context_.clock().Now();
  attempt.facts = {result.fact};
  // Until this is written down, nothing but this task keeps the job from being sent again.
  for (bool is_told = false;; is_told = true) {
    const Lease lease = context_.lease();
    auto change = co_await Offload(context_.deps().store_worker, [this, &lease, &attempt] {
      return context_.deps().store.Seal(lease, attempt);
    });
    if (change.ok()) {
      if (is_told) context_.deps().hub.Refresh(exchange.job.caller);
      context_.Committed(*change);
      break;
    }
    if (absl::IsFailedPrecondition(change.status())) {
      const bool is_settled = co_await SettleEnded(exchange, result.fact);
      if (is_settled) {
        co_return AttemptReport{.kind = AttemptReport::Kind::kSettled, .answered = true};
      }
    }
    if (absl::IsNotFound(change.status())) co_return AttemptReport{};  // nobody can send it
    if (!is_told) {
      context_.log().Error("fact_not_recorded",
                           {{"job", exchange.job.id},
                            {"upstream_id", result.fact.upstream_id},
                            {"error", std::string(change.status().message())}});
    }
    Signal pause(context_.deps().executor, context_.clock());
    co_await pause.WaitFor(absl::Seconds(1));
  }
  auto view = co_await context_.View(exchange.job.id);
  if (!view.ok() || view->attempts.empty()) co_return AttemptReport{};  // the next owner decides
  attempt = view->attempts.back();
  co_return co_await Conclude(exchange, std::move(result));
}

asio::awaitable<bool> AttemptDriver::SettleEnded(const Exchange& exchange, Fact accepted) {
  const std::string account = context_.accounts().Canonical(exchange.attempt.account);
  const absl::Time now = context_.clock().Now();
  const EngineContext::OwnedDecide decide = [account, accepted, now](const JobView& view) {
    return DecideLateAcceptance(view.job, account, accepted, now);
  };
  const std::string& job_id = exchange.job.id;
  const auto change = co_await Offload(context_.deps().store_worker, [this, &job_id, &decide] {
    return context_.deps().store.Update(job_id, nullptr, decide);
  });
  if (absl::IsAlreadyExists(change.status())) {
    context_.log().Error("upstream_id_owned_twice",
                         {{"job", job_id}, {"upstream_id", accepted.upstream_id}});
    co_return true;
  }
  if (change.ok()) context_.Committed(*change);
  co_return change.ok();
}

asio::awaitable<EveryoneMeaning> AttemptDriver::AskAboutKey(const Exchange& exchange,
                                                            int http_status) {
  ListQuery query;
  query.limit = 1;
  ListResult answer = co_await context_.deps().upstream.List(std::move(query));
  const bool same_key = answer.key == exchange.key;
  const bool reads = same_key && answer.failure == ReadFailure::kNone;
  context_.log().Error("upstream_refuses",
                       {{"http_status", http_status},
                        {"key_reads", reads},
                        {"key_changed", !same_key},
                        {"key_refused", answer.failure == ReadFailure::kKeyRefused},
                        {"read_http_status", answer.http_status}});
  co_return http_status == 403 && reads ? EveryoneMeaning::kNotEntitled : EveryoneMeaning::kPaused;
}

bool AttemptDriver::KeyChanged(const Exchange& exchange) const {
  return context_.deps().upstream.Account() != exchange.key;
}

asio::awaitable<bool> AttemptDriver::IsBlocked(const Attempt& attempt) {
  // Under a key whose account is not learned an equal payload of any account may be the same one.
  const std::string account = Accounts::IsLearned(attempt.account) ? attempt.account : "";
  const auto blocked = co_await Offload(context_.deps().store_worker, [this, &account, &attempt] {
    return context_.deps().store.IsBlocked(account, attempt.fingerprint);
  });
  // A store that cannot be asked just now is asked by the seal.
  co_return blocked.ok() && *blocked;
}

absl::Duration AttemptDriver::EqualPayloadWait(int unsent_failures) const {
  return context_.settings().dispatch.equal_payload_wait * (1 << std::min(unsent_failures, 3));
}

absl::Duration AttemptDriver::NextDelay(int failures, absl::Duration asked) const {
  return std::max(
      asked, BackoffDelay(context_.settings().dispatch.retry, failures, context_.deps().random));
}

}  // namespace lumaedit
