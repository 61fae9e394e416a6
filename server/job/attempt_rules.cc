#include "server/job/attempt_rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "server/job/state_rules.h"

namespace lumaedit {
namespace {

JobState StateOf(UpstreamStatus status, bool has_outcome) {
  switch (status) {
    case UpstreamStatus::kUnknown:
    case UpstreamStatus::kQueued:
      return JobState::kQueued;
    case UpstreamStatus::kProcessing:
      return JobState::kProcessing;
    case UpstreamStatus::kSuccess:
      // A success without a video URL is no success (protocol.md section 1): it is asked again.
      return has_outcome ? JobState::kSucceeded : JobState::kProcessing;
    case UpstreamStatus::kFailed:
      return JobState::kFailed;
    case UpstreamStatus::kCancelled:
      return JobState::kCancelled;
  }
  return JobState::kQueued;
}

const Fact* FindFact(const Attempt& attempt, FactKind kind) {
  const auto it = std::find_if(attempt.facts.begin(), attempt.facts.end(),
                               [kind](const Fact& fact) { return fact.kind == kind; });
  return it == attempt.facts.end() ? nullptr : &*it;
}

std::optional<Decision> Unconfirmed(const Job& job) {
  if (job.state != JobState::kSubmitting) return std::nullopt;
  Decision decision;
  decision.job = job;
  decision.job.state = JobState::kUnconfirmed;
  decision.job.charge.state = ChargeState::kUncertain;
  return decision;
}

}  // namespace

void Accept(Job& after, const std::string& account, const std::string& upstream_id,
            std::string_view status_word, const std::optional<Outcome>& outcome,
            const std::optional<JobError>& error, absl::Time now) {
  after.upstream_account = account;
  after.upstream_id = upstream_id;
  after.upstream_status = std::string(status_word);
  after.accept_time = now;
  after.change_time = now;
  after.next_attempt_time = absl::InfinitePast();
  after.candidate_upstream_ids.clear();
  after.state = StateOf(ReadStatusWord(status_word), outcome.has_value());
  if (after.state == JobState::kSucceeded) after.outcome = outcome;
  if (after.state == JobState::kFailed) {
    after.error = error.value_or(JobError{.reason = ErrorReason::kUpstreamFailed,
                                          .message = "the upstream failed it without a reason",
                                          .upstream_code = {},
                                          .upstream_message = {},
                                          .may_succeed_if_submitted_again = true});
  }
  after.charge.state = ChargeFor(after.state, /*accepted=*/true, after.error);
}

void Fail(Job& after, ErrorReason reason, std::string_view message, bool may_succeed_again) {
  after.state = JobState::kFailed;
  after.error = JobError{.reason = reason,
                         .message = std::string(message),
                         .upstream_code = {},
                         .upstream_message = {},
                         .may_succeed_if_submitted_again = may_succeed_again};
  after.charge.state = ChargeFor(after.state, !after.upstream_id.empty(), after.error);
}

void ReturnToPending(Job& after, bool counts, absl::Duration wait, int most_refusals,
                     absl::Time now) {
  after.candidate_upstream_ids.clear();
  if (IsSet(after.cancel_request_time)) {
    after.state = JobState::kCancelled;
    after.charge.state = ChargeState::kReleased;
    return;
  }
  if (counts) ++after.refusals;
  if (after.refusals >= most_refusals) {
    Fail(after, ErrorReason::kTooManyRefusals,
         "the upstream did not accept it in any of the attempts", true);
    return;
  }
  after.state = JobState::kPending;
  after.charge.state = ChargeState::kReserved;
  after.next_attempt_time = now + wait;
}

bool KnownNotAccepted(const Attempt& attempt) {
  return std::any_of(attempt.facts.begin(), attempt.facts.end(), [](const Fact& fact) {
    return fact.kind == FactKind::kNotAccepted || fact.kind == FactKind::kEditRefused ||
           fact.kind == FactKind::kEveryoneRefused;
  });
}

absl::Time EndOf(const Attempt& attempt, absl::Duration longest_attempt) {
  return IsSet(attempt.end_time) ? attempt.end_time : attempt.seal_time + longest_attempt;
}

std::optional<Decision> DecideOnFacts(const JobView& view, const FactInput& input) {
  const Job& job = view.job;
  const bool open = BlocksEqualPayload(job.state) || job.state == JobState::kHeld;
  if (!open || view.attempts.empty()) return std::nullopt;

  // An acceptance outweighs everything, whichever attempt it belongs to and however late it comes.
  for (auto it = view.attempts.rbegin(); it != view.attempts.rend(); ++it) {
    const Fact* accepted = FindFact(*it, FactKind::kAccepted);
    if (accepted == nullptr || input.distrust_accepted) continue;
    Decision decision;
    decision.job = job;
    Accept(decision.job, it->account, accepted->upstream_id, accepted->upstream_status,
           accepted->outcome, accepted->error, input.now);
    decision.bind_attempt = it->number;
    decision.not_before = it->seal_time;
    decision.not_after = accepted->record_time;
    return decision;
  }

  // Earlier attempts are known not to have been accepted, or the job would not have been sent
  // again.
  const Attempt& newest = view.attempts.back();
  if (const Fact* refused = FindFact(newest, FactKind::kEditRefused)) {
    Decision decision;
    decision.job = job;
    decision.job.state = JobState::kFailed;
    decision.job.error = refused->error.value_or(JobError{});
    if (decision.job.error->reason == ErrorReason::kUnspecified) {
      decision.job.error->reason = ErrorReason::kUpstreamRefused;
    }
    decision.job.charge.state = ChargeState::kReleased;
    return decision;
  }
  if (const Fact* everyone = FindFact(newest, FactKind::kEveryoneRefused)) {
    Decision decision;
    decision.job = job;
    if (input.everyone == EveryoneMeaning::kNotEntitled) {
      Fail(decision.job, ErrorReason::kUpstreamNotEntitled,
           "the upstream account may not make this edit", false);
      if (everyone->error) {
        decision.job.error->upstream_code = everyone->error->upstream_code;
        decision.job.error->upstream_message = everyone->error->upstream_message;
      }
    } else {
      ReturnToPending(decision.job, /*counts=*/false, input.wait, input.most_refusals, input.now);
    }
    return decision;
  }
  if (const Fact* not_accepted = FindFact(newest, FactKind::kNotAccepted)) {
    Decision decision;
    decision.job = job;
    // What the answer asked for counts from the answer, also where another process decides.
    const absl::Duration asked = not_accepted->record_time + not_accepted->retry_after - input.now;
    const absl::Duration wait = std::max(input.wait, std::min(asked, not_accepted->retry_after));
    ReturnToPending(decision.job, /*counts=*/true, wait, input.most_refusals, input.now);
    return decision;
  }
  if (!newest.facts.empty()) return Unconfirmed(job);
  return std::nullopt;
}

std::optional<Decision> DecideUnconfirmed(const JobView& view) { return Unconfirmed(view.job); }

}  // namespace lumaedit
