#include "server/job/late_outcome_rule.h"

#include "server/job/attempt_rules.h"
#include "server/job/state_rules.h"

namespace lumaedit {
namespace {

void LearnEnd(Job& after, ChargeState charge, absl::Time now) {
  after.charge.state = charge;
  if (!IsSet(after.late_outcome_time)) after.late_outcome_time = now;
}

// The job's own end already says what this record says.
bool SaysTheSame(const Job& job, UpstreamStatus status) {
  if (IsSet(job.late_outcome_time)) return true;
  if (job.state == JobState::kFailed) {
    return status == UpstreamStatus::kFailed && job.charge.state == ChargeState::kReleased;
  }
  // A cancelled job whose charge is incurred was accepted after its end: how that ended is news.
  return job.state == JobState::kCancelled && status == UpstreamStatus::kCancelled &&
         job.charge.state != ChargeState::kIncurred;
}

}  // namespace

bool AwaitsLateOutcome(const Job& job) {
  return job.state == JobState::kExpired && !job.upstream_id.empty() &&
         !IsSet(job.late_outcome_time);
}

std::optional<Decision> DecideLateOutcome(const Job& job, const UpstreamRecord& record,
                                          absl::Time now) {
  if (!IsFinal(job.state) || job.upstream_id.empty() || record.id != job.upstream_id) {
    return std::nullopt;
  }
  Decision decision;
  decision.job = job;
  Job& after = decision.job;
  after.unreachable = false;
  bool learned = after.unreachable != job.unreachable;
  if (record.status_word != job.upstream_status) {
    after.upstream_status = record.status_word;
    after.change_time = now;
    learned = true;
  }
  const bool has_video = record.status == UpstreamStatus::kSuccess && record.outcome.has_value();
  if (has_video) {
    after.outcome = record.outcome;
    after.outcome->read_time = now;
    // A follow-up edit may rest on the id that was given first.
    if (job.outcome && after.outcome->generation_id.empty()) {
      after.outcome->generation_id = job.outcome->generation_id;
    }
    if (!job.outcome) LearnEnd(after, ChargeState::kIncurred, now);
    return decision;
  }
  if (!job.outcome && !SaysTheSame(job, record.status)) {
    // The state table's charges: what the upstream failed is refunded; whether a cancelled one is
    // billed is not known.
    if (record.status == UpstreamStatus::kFailed) {
      LearnEnd(after, ChargeState::kReleased, now);
      learned = true;
    } else if (record.status == UpstreamStatus::kCancelled) {
      LearnEnd(after, ChargeState::kUncertain, now);
      learned = true;
    }
  }
  if (!learned) return std::nullopt;
  return decision;
}

std::optional<Decision> DecideLateAcceptance(const Job& job, const std::string& account,
                                             const Fact& accepted, absl::Time now) {
  if (!IsFinal(job.state) || !job.upstream_id.empty()) return std::nullopt;
  Job live = job;
  Accept(live, account, accepted.upstream_id, accepted.upstream_status, accepted.outcome,
         accepted.error, now);
  Decision decision;
  decision.job = job;
  Job& after = decision.job;
  after.upstream_account = live.upstream_account;
  after.upstream_id = live.upstream_id;
  after.upstream_status = live.upstream_status;
  after.accept_time = live.accept_time;
  after.change_time = live.change_time;
  after.charge = live.charge;
  if (IsFinal(live.state)) {
    after.outcome = live.outcome;
    after.late_outcome_time = now;
  }
  if (after.cancel_result == CancelResult::kPrevented) {
    after.cancel_result = CancelResult::kRecordedMayBill;
  }
  return decision;
}

}  // namespace lumaedit
