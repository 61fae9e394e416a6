// Upstream accounts: names that keys stood under before their account was learned, and what stands
// under them (protocol.md section 4, "Upstream account"). Inside a transaction of the caller's.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/job/job_store.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

// The account that `name` turned out to be, or `name` itself.
absl::StatusOr<std::string> AccountOf(SqliteConnection& connection, const std::string& name);

absl::StatusOr<std::vector<AccountName>> ReadAccountNames(SqliteConnection& connection);

absl::StatusOr<std::vector<AccountUse>> ReadRecentAccounts(SqliteConnection& connection,
                                                           absl::Duration within);

// ALREADY_EXISTS: two jobs would own one upstream id; the caller's transaction is to be undone.
absl::Status MoveAccountRows(SqliteConnection& connection, const std::string& name,
                             const std::string& account);

// `account` empty: any.
absl::StatusOr<bool> ReadIsBlocked(SqliteConnection& connection, const std::string& account,
                                   const std::string& fingerprint);

}  // namespace lumaedit
