#include "server/job/resolve_rule.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job/attempt_rules.h"
#include "server/job/error.h"

namespace lumaedit {
namespace {

absl::Status StateChanged(const Job& job, std::string_view why) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kStateChanged;
  detail.metadata["sequence"] = absl::StrCat(job.sequence);
  return MakeError(absl::StatusCode::kAborted, std::move(detail), why);
}

// Asked again in the transaction that writes: the job may have moved while the upstream was asked.
absl::Status CheckView(const JobView& view, const Resolution& resolution,
                       const ResolveInput& input) {
  if (absl::Status may = CheckResolution(view.job, resolution); !may.ok()) return may;
  if (view.attempts.empty()) {
    return MakeError(absl::StatusCode::kInternal, ErrorReason::kInternal,
                     "a job is held without an attempt");
  }
  FactInput facts;
  facts.now = input.now;
  facts.distrust_accepted = input.distrust_accepted;
  if (DecideOnFacts(view, facts)) {
    return StateChanged(view.job, "an answer of the upstream came in meanwhile; look again");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckResolution(const Job& job, const Resolution& resolution) {
  if (job.sequence != resolution.expected_sequence) {
    return StateChanged(job, absl::StrCat("the job has moved on, to sequence ", job.sequence));
  }
  if (job.state != JobState::kHeld) {
    return MakeError(absl::StatusCode::kFailedPrecondition, ErrorReason::kNotHeld,
                     absl::StrCat("only a HELD job can be resolved; this one is ",
                                  std::string(JobStateName(job.state))));
  }
  if (resolution.abandons() || resolution.any_id) return absl::OkStatus();
  const auto& candidates = job.candidate_upstream_ids;
  if (std::find(candidates.begin(), candidates.end(), resolution.adopt_upstream_id) ==
      candidates.end()) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, ErrorReason::kNotACandidate,
        "adopt_upstream_id is none of the job's candidate_upstream_ids; who runs the gateway "
        "may adopt any: luma-edit-gateway adopt");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Decision>> DecideAdoption(const JobView& view,
                                                       const Resolution& resolution,
                                                       const UpstreamRecord& record,
                                                       HandBinding by_hand,
                                                       const ResolveInput& input) {
  if (absl::Status may = CheckView(view, resolution, input); !may.ok()) return may;
  const Attempt& attempt = view.attempts.back();
  Decision decision;
  decision.job = view.job;
  Accept(decision.job, attempt.account, record.id, record.status_word, record.outcome, record.error,
         input.now);
  decision.bind_attempt = attempt.number;
  decision.by_hand = by_hand;
  decision.not_before = attempt.seal_time;
  decision.not_after = input.now;
  decision.actor = resolution.actor;
  return decision;
}

absl::StatusOr<std::optional<Decision>> DecideAbandonment(const JobView& view,
                                                          const Resolution& resolution,
                                                          const ResolveInput& input) {
  if (absl::Status may = CheckView(view, resolution, input); !may.ok()) return may;
  Decision decision;
  decision.job = view.job;
  decision.job.candidate_upstream_ids.clear();
  Fail(decision.job, ErrorReason::kSubmissionUnresolved,
       "it was abandoned while it was not known whether the upstream had accepted it", true);
  decision.actor = resolution.actor;
  return decision;
}

HandBinding HandBindingFor(const UpstreamRecord& record, bool echo_seen, const Attempt& attempt) {
  if (!IsSet(record.created_at)) return HandBinding::kUnknownTime;
  const bool equal =
      echo_seen && !record.echo_is_empty && PayloadFingerprint(record.echo) == attempt.fingerprint;
  return equal ? HandBinding::kEqualEcho : HandBinding::kUnknownEcho;
}

}  // namespace lumaedit
