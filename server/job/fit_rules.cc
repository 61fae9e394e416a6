#include "server/job/fit_rules.h"

#include <algorithm>

#include "server/job/attempt_rules.h"

namespace lumaedit {

absl::Duration OffsetOf(absl::Time upstream_date, absl::Time now) {
  return upstream_date + absl::Milliseconds(500) - now;
}

Window WindowOf(const Attempt& attempt, const UpstreamTime& time,
                const ReconcileSettings& settings) {
  const absl::Duration offset = time.offset.value_or(absl::ZeroDuration());
  const absl::Duration doubt = time.Doubt(settings);
  return {attempt.seal_time + offset - doubt,
          EndOf(attempt, settings.longest_attempt) + offset + settings.visibility + doubt};
}

Window WidestWindowOf(const Attempt& attempt, const UpstreamTime& time,
                      const ReconcileSettings& settings) {
  const absl::Duration offset = time.offset.value_or(absl::ZeroDuration());
  const absl::Duration doubt = settings.clock_doubt_unlearned;
  return {attempt.seal_time + std::min(offset, absl::ZeroDuration()) - doubt,
          EndOf(attempt, settings.longest_attempt) + std::max(offset, absl::ZeroDuration()) +
              settings.visibility + doubt};
}

namespace {

bool FitsIn(const Window& window, const UpstreamRecord& record, const Attempt& attempt) {
  if (record.is_partial) return false;
  if (!record.model.empty() && record.model != attempt.model) return false;
  // The upstream counts whole seconds: a record of 10.9 s reads 10.
  if (IsSet(record.created_at) &&
      (record.created_at + absl::Seconds(1) <= window.from || record.created_at > window.to)) {
    return false;
  }
  return record.echo_is_empty || PayloadFingerprint(record.echo) == attempt.fingerprint;
}

}  // namespace

bool Fits(const UpstreamRecord& record, const Attempt& attempt, const UpstreamTime& time,
          const ReconcileSettings& settings) {
  return FitsIn(WindowOf(attempt, time, settings), record, attempt);
}

bool MayFit(const UpstreamRecord& record, const Attempt& attempt, const UpstreamTime& time,
            const ReconcileSettings& settings) {
  return FitsIn(WidestWindowOf(attempt, time, settings), record, attempt);
}

bool VisibilityOver(const Attempt& attempt, const UpstreamTime& time,
                    const ReconcileSettings& settings, absl::Time now) {
  return now >=
         EndOf(attempt, settings.longest_attempt) + settings.visibility + time.Doubt(settings);
}

bool WasClockSet(const Attempt& attempt, const UpstreamTime& time,
                 const ReconcileSettings& settings) {
  if (IsSet(attempt.end_time) && attempt.end_time < attempt.seal_time) return true;
  return time.offset &&
         std::any_of(attempt.facts.begin(), attempt.facts.end(), [&](const Fact& fact) {
           return fact.upstream_offset &&
                  absl::AbsDuration(*fact.upstream_offset - *time.offset) > settings.clock_doubt;
         });
}

bool MayHaveTakenRecord(const Attempt& rival, const Attempt& attempt, const UpstreamTime& time,
                        const ReconcileSettings& settings) {
  if (rival.by_hand == HandBinding::kNone || rival.job_id == attempt.job_id) return false;
  if (rival.model != attempt.model) return false;
  if (rival.by_hand == HandBinding::kEqualEcho && rival.fingerprint != attempt.fingerprint) {
    return false;
  }
  if (rival.by_hand == HandBinding::kUnknownTime) return true;
  const Window taken = WidestWindowOf(rival, time, settings);
  const Window own = WidestWindowOf(attempt, time, settings);
  return taken.from <= own.to && own.from <= taken.to;
}

Finding FindRecord(const Pass& pass, const Attempt& attempt,
                   const std::vector<UnboundAttempt>& rivals, const UpstreamTime& time,
                   const ReconcileSettings& settings) {
  Finding finding;
  std::vector<const UpstreamRecord*> fitting;
  bool may_be_live = false;
  for (const UpstreamRecord& record : pass.unowned) {
    if (!MayFit(record, attempt, time, settings)) continue;
    finding.candidate_ids.push_back(record.id);
    may_be_live = may_be_live || record.status != UpstreamStatus::kFailed;
    if (Fits(record, attempt, time, settings)) fitting.push_back(&record);
  }
  if (!pass.Covers(WidestWindowOf(attempt, time, settings).from)) return finding;
  finding.kind = FindingKind::kAmbiguous;
  if (std::any_of(rivals.begin(), rivals.end(), [&](const UnboundAttempt& rival) {
        return MayHaveTakenRecord(rival.attempt, attempt, time, settings);
      })) {
    return finding;
  }
  if (finding.candidate_ids.empty()) {
    finding.kind = FindingKind::kNothing;
    return finding;
  }
  if (fitting.size() != 1 || fitting.front()->echo_is_empty) return finding;
  const UpstreamRecord& record = *fitting.front();
  const bool has_rival =
      std::any_of(rivals.begin(), rivals.end(), [&](const UnboundAttempt& rival) {
        const bool same =
            rival.attempt.job_id == attempt.job_id && rival.attempt.number == attempt.number;
        return !same && Fits(record, rival.attempt, time, settings);
      });
  if (has_rival) return finding;
  // Of two records the failed one may be the refused twin of the accepted one: of one that a wrong
  // clock moves out of the window, or of one that shows later.
  const bool reads_failed = record.status == UpstreamStatus::kFailed;
  if (reads_failed && may_be_live) return finding;
  const bool wait = reads_failed && !VisibilityOver(attempt, time, settings, pass.read_time);
  finding.kind = wait ? FindingKind::kNotYet : FindingKind::kAdopt;
  finding.record = record;
  return finding;
}

}  // namespace lumaedit
