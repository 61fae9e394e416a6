// What a look at the record of a final job teaches (protocol.md section 1: final is final; what is
// learned later fills `outcome` and settles the charge, without a transition). Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "server/job/job_store.h"
#include "server/job/upstream.h"

namespace lumaedit {

// For a final job that was accepted and the record of its upstream id, read at `now`. Unset: there
// is nothing to write. The state never changes; `late_outcome_time` is set once, when the record's
// own end is first learned after the job's. A video that was learned is never taken back: a later
// success only replaces its URLs, any other word leaves it.
std::optional<Decision> DecideLateOutcome(const Job& job, const UpstreamRecord& record,
                                          absl::Time now);

// For a final job without an upstream id, when `accepted` came for its POST all the same
// (assumption A1 broken, protocol.md section 3): it has the id and the charge of that record. A
// cancel that was told to have prevented it has not. Unset: there is nothing to write.
std::optional<Decision> DecideLateAcceptance(const Job& job, const std::string& account,
                                             const Fact& accepted, absl::Time now);

// EXPIRED, and how its record ended is not known: it is asked again.
bool AwaitsLateOutcome(const Job& job);

}  // namespace lumaedit
