// The state table of protocol.md section 1 and the charge that follows from a state (section 5).
// Pure functions; any thread.
#pragma once

#include "server/job/job.h"

namespace lumaedit {

// May a job go from `from` to `to`? No state follows itself, nothing follows a final one.
bool MayMove(JobState from, JobState to);

// SUCCEEDED, FAILED, CANCELLED, EXPIRED.
bool IsFinal(JobState state);

// QUEUED or PROCESSING: accepted and running, so it is polled.
bool IsRunning(JobState state);

// SUBMITTING or UNCONFIRMED: its attempt blocks an equal payload (protocol.md section 3, step 3).
bool BlocksEqualPayload(JobState state);

// The charge of a job that is in `state` and was accepted or not. A FAILED job's charge depends on
// why it failed: `error` is that of the job.
ChargeState ChargeFor(JobState state, bool accepted, const std::optional<JobError>& error);

}  // namespace lumaedit
