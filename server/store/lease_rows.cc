#include "server/store/lease_rows.h"

#include "server/store/status_macros.h"

namespace lumaedit {

absl::StatusOr<Lease> TakeLease(SqliteConnection& connection, const std::string& owner) {
  Statement take = connection.Prepare(
      "INSERT INTO lease (only_row, owner, epoch, held) VALUES (1, ?, 1, 1)"
      " ON CONFLICT (only_row) DO UPDATE SET owner = excluded.owner, epoch = epoch + 1, held = 1"
      " RETURNING epoch");
  ASSIGN_OR_RETURN(const bool row, take.Bind(owner).Step());
  if (!row) return absl::InternalError("the lease was not taken");
  const Lease lease{owner, take.Int(0), kLeaseLength};
  RETURN_IF_ERROR(take.Run());
  return lease;
}

absl::Status CheckLease(SqliteConnection& connection, const Lease& lease) {
  Statement select = connection.Prepare(
      "SELECT 1 FROM lease WHERE only_row = 1 AND owner = ? AND epoch = ? AND held = 1");
  ASSIGN_OR_RETURN(const bool row, select.Bind(lease.owner).Bind(lease.epoch).Step());
  return row ? absl::OkStatus() : absl::AbortedError("the lease is lost");
}

absl::Status ReleaseLease(SqliteConnection& connection, const Lease& lease) {
  RETURN_IF_ERROR(CheckLease(connection, lease));
  return connection.Prepare("UPDATE lease SET held = 0 WHERE only_row = 1").Run();
}

}  // namespace lumaedit
