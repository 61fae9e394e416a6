// How long what is over is kept (protocol.md section 5, "Retention"). Durations of wall time.
#pragma once

#include "absl/time/time.h"
#include "server/job/job.h"

namespace lumaedit {

struct RetentionSettings {
  absl::Duration jobs = absl::Hours(24 * 30);          // from their end
  absl::Duration request_ids = absl::Hours(24 * 400);  // from their submission
};

// When the job is removed; unset (InfinitePast) before it is final.
inline absl::Time PurgeTime(const Job& job, const RetentionSettings& settings) {
  return IsSet(job.end_time) ? job.end_time + settings.jobs : absl::InfinitePast();
}

}  // namespace lumaedit
