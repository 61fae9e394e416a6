// The two questions everybody asks of a state.
#pragma once

#include "absl/strings/string_view.h"
#include "lumaedit/v1/job.pb.h"

namespace lumaedit::client {

// SUCCEEDED, FAILED, CANCELLED and EXPIRED: no transition follows. HELD is not final: a person, or
// a record found late, may still end it.
bool IsFinal(v1::Job::State state);

// The name without its prefix, "PROCESSING"; "UNKNOWN" for a number this build does not know.
absl::string_view StateName(v1::Job::State state);

}  // namespace lumaedit::client
