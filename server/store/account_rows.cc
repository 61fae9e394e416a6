#include "server/store/account_rows.h"

#include "server/store/status_macros.h"

namespace lumaedit {

absl::StatusOr<std::string> AccountOf(SqliteConnection& connection, const std::string& name) {
  Statement select = connection.Prepare("SELECT account FROM account_names WHERE name = ?");
  ASSIGN_OR_RETURN(const bool row, select.Bind(name).Step());
  return row ? select.Text(0) : name;
}

absl::StatusOr<std::vector<AccountName>> ReadAccountNames(SqliteConnection& connection) {
  std::vector<AccountName> names;
  Statement select = connection.Prepare("SELECT name, account FROM account_names");
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return names;
    names.push_back({select.Text(0), select.Text(1)});
  }
}

absl::StatusOr<std::vector<AccountUse>> ReadRecentAccounts(SqliteConnection& connection,
                                                           absl::Duration within) {
  std::vector<AccountUse> accounts;
  Statement select = connection.Prepare(
      "SELECT account, coalesce(max(CASE WHEN upstream_id <> '' THEN seal_time END), -1)"
      " FROM attempts GROUP BY account"
      " HAVING max(seal_time) >= (SELECT max(seal_time) FROM attempts) - ?");
  select.Bind(absl::ToInt64Microseconds(within));
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return accounts;
    accounts.push_back({select.Text(0), select.Int(1) < 0 ? absl::InfinitePast()
                                                          : absl::FromUnixMicros(select.Int(1))});
  }
}

absl::Status MoveAccountRows(SqliteConnection& connection, const std::string& name,
                             const std::string& account) {
  RETURN_IF_ERROR(connection
                      .Prepare("INSERT INTO account_names (name, account) VALUES (?, ?)"
                               " ON CONFLICT (name) DO UPDATE SET account = excluded.account")
                      .Bind(name)
                      .Bind(account)
                      .Run());
  // What was moved to `name` before moves on with it.
  RETURN_IF_ERROR(connection.Prepare("UPDATE account_names SET account = ? WHERE account = ?")
                      .Bind(account)
                      .Bind(name)
                      .Run());
  // Two equal payloads may be in doubt under the two names: one of them blocks from here on, as one
  // of two would have from the start.
  RETURN_IF_ERROR(connection
                      .Prepare("UPDATE attempts SET open = 0 WHERE account = ?1 AND open = 1"
                               " AND fingerprint IN (SELECT fingerprint FROM attempts"
                               " WHERE account = ?2 AND open = 1)")
                      .Bind(name)
                      .Bind(account)
                      .Run());
  RETURN_IF_ERROR(connection.Prepare("UPDATE attempts SET account = ?2 WHERE account = ?1")
                      .Bind(name)
                      .Bind(account)
                      .Run());
  absl::Status moved =
      connection.Prepare("UPDATE jobs SET upstream_account = ?2 WHERE upstream_account = ?1")
          .Bind(name)
          .Bind(account)
          .Run();
  if (absl::IsAlreadyExists(moved)) {
    return absl::AlreadyExistsError("two jobs own one upstream id of this account");
  }
  return moved;
}

absl::StatusOr<bool> ReadIsBlocked(SqliteConnection& connection, const std::string& account,
                                   const std::string& fingerprint) {
  if (account.empty()) {
    // Few rows are open at a time, and the index holds no others.
    Statement any =
        connection.Prepare("SELECT 1 FROM attempts WHERE fingerprint = ? AND open = 1 LIMIT 1");
    return any.Bind(fingerprint).Step();
  }
  ASSIGN_OR_RETURN(const std::string name, AccountOf(connection, account));
  Statement select = connection.Prepare(
      "SELECT 1 FROM attempts WHERE account = ? AND fingerprint = ? AND open = 1");
  return select.Bind(name).Bind(fingerprint).Step();
}

}  // namespace lumaedit
