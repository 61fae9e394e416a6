#include "server/job/observation_rules.h"

#include <algorithm>
#include <utility>

#include "server/job/attempt_rules.h"
#include "server/job/state_rules.h"

namespace lumaedit {
namespace {

void JudgeSuccess(Job& after, const Job& before, const Observation& seen,
                  absl::Duration output_wait) {
  if (seen.record.outcome) {
    after.state = JobState::kSucceeded;
    after.outcome = seen.record.outcome;
    after.outcome->read_time = seen.not_after;
    return;
  }
  const bool was_success = ReadStatusWord(before.upstream_status) == UpstreamStatus::kSuccess;
  if (was_success && seen.unchanged_for >= output_wait) {
    Fail(after, ErrorReason::kUpstreamOutputMissing,
         "the upstream reports success but gives no video", true);
  }
}

}  // namespace

bool TellsState(const UpstreamRecord& record) {
  if (!record.is_partial) return true;
  const bool is_final = record.status == UpstreamStatus::kSuccess ||
                        record.status == UpstreamStatus::kFailed ||
                        record.status == UpstreamStatus::kCancelled;
  return !record.status_word.empty() && !is_final;
}

bool MayJudgeFromList(const UpstreamRecord& record) {
  if (!TellsState(record)) return false;
  if (record.status == UpstreamStatus::kSuccess) return record.outcome.has_value();
  if (record.status == UpstreamStatus::kFailed) return record.error.has_value();
  return true;
}

absl::Time SealOf(const JobView& view) {
  for (const Attempt& attempt : view.attempts) {
    if (!attempt.upstream_id.empty() && attempt.upstream_id == view.job.upstream_id) {
      return attempt.seal_time;
    }
  }
  return view.job.create_time;
}

std::optional<Decision> DecideObservation(const Job& job, const Observation& seen,
                                          absl::Duration output_wait) {
  if (!IsRunning(job.state)) return std::nullopt;
  Decision decision;
  decision.job = job;
  Job& after = decision.job;
  after.upstream_status = seen.record.status_word;
  after.unreachable = false;
  if (after.upstream_status != job.upstream_status) after.change_time = seen.not_after;

  switch (seen.record.status) {
    case UpstreamStatus::kUnknown:
    case UpstreamStatus::kQueued:
      break;
    case UpstreamStatus::kProcessing:
      after.state = JobState::kProcessing;
      break;
    case UpstreamStatus::kSuccess:
      JudgeSuccess(after, job, seen, output_wait);
      break;
    case UpstreamStatus::kFailed:
      after.state = JobState::kFailed;
      after.error = seen.record.error;
      if (!after.error) {
        Fail(after, ErrorReason::kUpstreamFailed, "the upstream failed it without a reason", true);
      }
      break;
    case UpstreamStatus::kCancelled:
      after.state = JobState::kCancelled;
      break;
  }
  if (after.state == job.state && after.upstream_status == job.upstream_status &&
      !job.unreachable) {
    return std::nullopt;
  }
  after.charge.state = ChargeFor(after.state, /*accepted=*/true, after.error);
  decision.not_before = seen.not_before;
  decision.not_after = seen.not_after;
  return decision;
}

std::optional<Decision> DecideExpiry(const Job& job) {
  if (!IsRunning(job.state)) return std::nullopt;
  Decision decision;
  decision.job = job;
  decision.job.state = JobState::kExpired;
  decision.job.charge.state = ChargeState::kUncertain;
  return decision;
}

bool IsStalled(const Job& job, absl::Duration stalled_after, absl::Time now) {
  if (job.state != JobState::kQueued) return false;
  return now - std::max(job.state_time, job.change_time) >= stalled_after;
}

}  // namespace lumaedit
