// The lease of an embedded store: one row, since the lock on the data folder lets one process in.
// Runs inside a transaction of the caller's.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/job/job_store.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

// The lock is held as long as the process lives, so this only bounds how long a holder goes on
// without asking, as with the store of several replicas (protocol.md section 2).
inline constexpr absl::Duration kLeaseLength = absl::Seconds(15);

// Takes over from whoever held it, with the next epoch.
absl::StatusOr<Lease> TakeLease(SqliteConnection& connection, const std::string& owner);

// ABORTED when somebody took over, or it was released.
absl::Status CheckLease(SqliteConnection& connection, const Lease& lease);

absl::Status ReleaseLease(SqliteConnection& connection, const Lease& lease);

}  // namespace lumaedit
