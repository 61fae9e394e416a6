#include "server/job/cancel_rule.h"

#include "server/job/state_rules.h"

namespace lumaedit {

CancelVerdict DecideCancel(const Job& job, const std::string& actor, absl::Time now) {
  // A repeat answers with the first result, whatever happened since.
  if (job.cancel_result != CancelResult::kNone) return {job.cancel_result, std::nullopt};
  if (IsFinal(job.state)) return {CancelResult::kTooLate, std::nullopt};

  Decision decision;
  decision.job = job;
  decision.job.cancel_request_time = now;
  decision.job.cancel_actor = actor;
  decision.actor = actor;
  if (job.state == JobState::kPending) {
    decision.job.state = JobState::kCancelled;
    decision.job.charge.state = ChargeState::kReleased;
    decision.job.cancel_result = CancelResult::kPrevented;
    return {CancelResult::kPrevented, std::move(decision)};
  }
  decision.job.cancel_result = CancelResult::kRecordedMayBill;
  return {CancelResult::kRecordedMayBill, std::move(decision)};
}

}  // namespace lumaedit
