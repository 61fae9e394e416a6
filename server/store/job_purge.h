// Forgetting ended jobs (protocol.md section 5, retention). Runs inside a transaction of the
// caller's.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

// Removes at most `limit` jobs that ended before `ended_before`, with everything that hangs on them
// but their request ids; and at most `limit` request ids older than `requested_before` whose job is
// gone. Answers how many jobs went.
absl::StatusOr<int> PurgeJobs(SqliteConnection& connection, absl::Time ended_before,
                              absl::Time requested_before, int limit);

}  // namespace lumaedit
