#include "server/job/late_rules.h"

#include "server/job/state_rules.h"

namespace lumaedit {

bool WasAccepted(const Job& job) { return IsFinal(job.state) && !job.upstream_id.empty(); }

std::optional<Decision> DecideLateRecord(const Job& job, const UpstreamRecord& record,
                                         absl::Time now) {
  if (!WasAccepted(job)) return std::nullopt;
  Decision decision;
  decision.job = job;
  Job& after = decision.job;
  after.upstream_status = record.status_word;
  switch (record.status) {
    case UpstreamStatus::kUnknown:
    case UpstreamStatus::kQueued:
    case UpstreamStatus::kProcessing:
      return std::nullopt;
    case UpstreamStatus::kSuccess:
      if (!record.outcome) return std::nullopt;
      after.outcome = record.outcome;
      after.outcome->read_time = now;
      after.charge.state = ChargeState::kIncurred;
      break;
    case UpstreamStatus::kFailed:
      // Failures are not charged (upstream.md 5.6).
      if (job.state == JobState::kSucceeded || job.charge.state == ChargeState::kReleased) {
        return std::nullopt;
      }
      if (!after.error) after.error = record.error;
      after.charge.state = ChargeState::kReleased;
      break;
    case UpstreamStatus::kCancelled:
      return std::nullopt;
  }
  if (job.state != JobState::kSucceeded && !IsSet(after.late_outcome_time)) {
    after.late_outcome_time = now;
  }
  return decision;
}

}  // namespace lumaedit
