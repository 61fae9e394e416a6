#include "server/job/fit_rules.h"

#include <algorithm>

#include "server/job/attempt_rules.h"

namespace lumaedit {

Window WindowOf(const Attempt& attempt, const UpstreamTime& time,
                const ReconcileSettings& settings) {
  const absl::Duration offset = time.offset.value_or(absl::ZeroDuration());
  const absl::Duration doubt = time.Doubt(settings);
  return {attempt.seal_time + offset - doubt,
          EndOf(attempt, settings.longest_attempt) + offset + settings.visibility + doubt};
}

bool Fits(const UpstreamRecord& record, const Attempt& attempt, const UpstreamTime& time,
          const ReconcileSettings& settings) {
  if (!record.model.empty() && record.model != attempt.model) return false;
  if (IsSet(record.created_at)) {
    const Window window = WindowOf(attempt, time, settings);
    // The upstream counts whole seconds: a record of 10.9 s reads 10.
    if (record.created_at + absl::Seconds(1) <= window.from || record.created_at > window.to) {
      return false;
    }
  }
  return record.echo_is_empty || PayloadFingerprint(record.echo) == attempt.fingerprint;
}

bool VisibilityOver(const Attempt& attempt, const UpstreamTime& time,
                    const ReconcileSettings& settings, absl::Time now) {
  return now >=
         EndOf(attempt, settings.longest_attempt) + settings.visibility + time.Doubt(settings);
}

Finding FindRecord(const Pass& pass, const Attempt& attempt,
                   const std::vector<UnboundAttempt>& rivals, const UpstreamTime& time,
                   const ReconcileSettings& settings) {
  Finding finding;
  std::vector<const UpstreamRecord*> fitting;
  for (const UpstreamRecord& record : pass.unowned) {
    if (!Fits(record, attempt, time, settings)) continue;
    fitting.push_back(&record);
    finding.candidate_ids.push_back(record.id);
  }
  if (!pass.complete) return finding;
  if (fitting.empty()) {
    finding.kind = FindingKind::kNothing;
    return finding;
  }
  finding.kind = FindingKind::kAmbiguous;
  if (fitting.size() > 1 || fitting.front()->echo_is_empty) return finding;
  const UpstreamRecord& record = *fitting.front();
  const bool has_rival =
      std::any_of(rivals.begin(), rivals.end(), [&](const UnboundAttempt& rival) {
        const bool same =
            rival.attempt.job_id == attempt.job_id && rival.attempt.number == attempt.number;
        return !same && Fits(record, rival.attempt, time, settings);
      });
  if (has_rival) return finding;
  // Of two records the failed one may be the refused twin of an accepted one that shows later.
  const bool wait = record.status == UpstreamStatus::kFailed &&
                    !VisibilityOver(attempt, time, settings, pass.read_time);
  finding.kind = wait ? FindingKind::kNotYet : FindingKind::kAdopt;
  finding.record = record;
  return finding;
}

}  // namespace lumaedit
