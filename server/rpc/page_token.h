// The position of ListJobs as an opaque text: base64url of {version, create time, hash, job id}.
//
// It names a position and carries no authority: what is listed is the caller's own, whatever the
// token says. The hash covers position and filter, so a token of another filter, or a changed one,
// is told from a good one. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/job/job_store.h"

namespace lumaedit {

std::string MakePageToken(const JobCursor& cursor, const JobFilter& filter);

// Unset: malformed, or made for another filter.
std::optional<JobCursor> ReadPageToken(std::string_view token, const JobFilter& filter);

}  // namespace lumaedit
