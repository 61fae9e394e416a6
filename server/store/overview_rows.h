// What those who run the gateway want to know of the whole store. Store threads.
#pragma once

#include "absl/status/statusor.h"
#include "server/job/job_store.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

absl::StatusOr<StoreOverview> ReadOverview(SqliteConnection& connection, int most_held);

// When a job last changed its state; InfinitePast: there is none.
absl::StatusOr<absl::Time> ReadNewestStateTime(SqliteConnection& connection);

}  // namespace lumaedit
