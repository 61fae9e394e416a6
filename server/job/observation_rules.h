// What one poll saw, judged by the state table (protocol.md section 1). Pure functions; any thread.
#pragma once

#include <optional>

#include "server/job/engine_settings.h"
#include "server/job/job_store.h"
#include "server/job/upstream.h"

namespace lumaedit {

struct Observation {
  UpstreamRecord record;
  absl::Time not_before;  // the poll before; unset: the first
  absl::Time not_after;   // this poll
  // How long the upstream has used the word of the job, in uptime: wall time may jump.
  absl::Duration unchanged_for = absl::ZeroDuration();
};

// False: its reading was stopped where its state is not told, or not all that belongs to it.
bool TellsState(const UpstreamRecord& record);

// False: an end without what belongs to it. The list may leave out what the record's own answer has
// (whether it does is not known: upstream.md section 10), so that one is asked.
bool MayJudgeFromList(const UpstreamRecord& record);

// When the POST was sealed that made the job's record; its creation, where no attempt is bound to
// the record. An answer that was long under way tells less: the record has gone on since.
absl::Time SealOf(const JobView& view);

// Unset: nothing new was seen, so nothing is written. States only go forward: a step back or an
// unknown word changes `upstream_status` alone.
std::optional<Decision> DecideObservation(const Job& job, const Observation& observation,
                                          absl::Duration output_wait);

// The job deadline has passed, by the caller's count: EXPIRED. Unset: the job is not running.
std::optional<Decision> DecideExpiry(const Job& job);

// QUEUED, and nothing has changed for `stalled_after`.
bool IsStalled(const Job& job, absl::Duration stalled_after, absl::Time now);

}  // namespace lumaedit
