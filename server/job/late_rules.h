// What is learned of a job after its end: final is final, so it fills the outcome and settles the
// charge without a transition (protocol.md sections 1 and 5). Pure functions; any thread.
#pragma once

#include <optional>

#include "server/job/job_store.h"
#include "server/job/upstream.h"

namespace lumaedit {

// Was this final job accepted, so that the upstream may be asked about it again?
bool WasAccepted(const Job& job);

// Unset: the record teaches nothing new.
std::optional<Decision> DecideLateRecord(const Job& job, const UpstreamRecord& record,
                                         absl::Time now);

}  // namespace lumaedit
