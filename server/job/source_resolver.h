// What the source of a submission or a quote is: whether its caller may use it, what is sent
// upstream for it, and how long it is. Reads the stores; store threads only.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/job/job_store.h"
#include "server/job/source_store.h"

namespace lumaedit {

struct ResolvedSource {
  Source source;  // with what the stores know of it filled in
  SourceLength length;
  absl::Time expire_time = absl::InfiniteFuture();  // of a stored source
};

// What was measured counts, whatever the caller says.
SourceLength MeasuredLength(absl::Duration duration);

// `declared`: the length as the caller says; counts only where nothing was measured.
//
// A generation id that the gateway knows as another caller's outcome is INVALID_ARGUMENT. A source
// job must be the caller's own, have SUCCEEDED and have a generation id, else FAILED_PRECONDITION
// kSourceNotReady, the same for a foreign job as for a missing one. A stored source that is missing
// is NOT_FOUND kSourceNotFound, one that is not whole and measured FAILED_PRECONDITION
// kSourceNotReady, and a rejected one INVALID_ARGUMENT with the reason of that.
absl::StatusOr<ResolvedSource> ResolveSource(JobStore& jobs, SourceStore& sources,
                                             const std::string& caller, const Source& source,
                                             const std::optional<absl::Duration>& declared);

}  // namespace lumaedit
