#include "server/store/sqlite_connection.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job/error.h"
#include "server/store/errno_status.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

constexpr int kBusyTimeoutMs = 5000;

absl::Status Unavailable(std::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kStoreUnavailable, message);
}

// SQLite's own message is left out: it may quote the text of a statement. `error_number` is errno
// after the step, which was zero before it; sqlite3_system_errno does not know it after a COMMIT.
absl::Status ToStatus(int code, int error_number = 0) {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return absl::OkStatus();
  const std::string what = absl::StrCat("SQLite: ", sqlite3_errstr(code), " (", code, ")");
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return StorageFullError();
    case SQLITE_IOERR:
      // SQLite itself reads ENOSPC as SQLITE_FULL, but not a file size limit or a quota.
      if (MeansStorageFull(error_number)) return StorageFullError();
      return Unavailable(what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Unavailable(what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(what);
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return absl::AlreadyExistsError(what);
      }
      break;
  }
  return MakeError(absl::StatusCode::kInternal, ErrorReason::kInternal, what);
}

}  // namespace

Statement::Statement(sqlite3_stmt* statement, absl::Status status)
    : statement_(statement), status_(std::move(status)) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::Keep(int code) {
  if (status_.ok() && code != SQLITE_OK) status_ = ToStatus(code);
}

Statement& Statement::Bind(std::int64_t value) {
  if (status_.ok()) Keep(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::Bind(std::string_view value) {
  // A null pointer would bind NULL, and an empty view may have one.
  const char* bytes = value.data() == nullptr ? "" : value.data();
  if (status_.ok()) {
    Keep(sqlite3_bind_text64(statement_, ++bound_, bytes, value.size(), SQLITE_TRANSIENT,
                             SQLITE_UTF8));
  }
  return *this;
}

Statement& Statement::BindNull() {
  if (status_.ok()) Keep(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

Statement& Statement::BindTime(absl::Time value) {
  return value == absl::InfinitePast() ? BindNull() : Bind(absl::ToUnixMicros(value));
}

Statement& Statement::BindOptional(const std::optional<std::string>& value) {
  return value ? Bind(std::string_view(*value)) : BindNull();
}

absl::StatusOr<bool> Statement::Step() {
  if (!status_.ok()) return status_;
  errno = 0;
  const int code = sqlite3_step(statement_);
  const int error_number = errno;
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return ToStatus(code, error_number);
}

absl::Status Statement::Run() {
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Statement::Text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return "";
  return std::string(bytes, sqlite3_column_bytes(statement_, column));
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

absl::Time Statement::Time(int column) const {
  return IsNull(column) ? absl::InfinitePast() : absl::FromUnixMicros(Int(column));
}

std::optional<std::string> Statement::OptionalText(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Text(column);
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const std::string& path,
                                                                         Mode mode,
                                                                         const std::string& vfs) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  switch (mode) {
    case Mode::kCreate:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
    case Mode::kReadWrite:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Mode::kReadOnly:
      flags |= SQLITE_OPEN_READONLY;
      break;
  }
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &database, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (code != SQLITE_OK) {
    absl::Status status = ToStatus(code);
    sqlite3_close(database);
    return status;
  }
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(database));
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  // A database file is input too: whatever its schema says, it may not run code or lie about cells.
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  RETURN_IF_ERROR(
      connection->Execute("PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
                          "PRAGMA temp_store = MEMORY;"));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

Statement SqliteConnection::Prepare(std::string_view sql) {
  const std::string key(sql);
  const auto found = statements_.find(key);
  if (found != statements_.end()) return Statement(found->second, absl::OkStatus());
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_, key.c_str(), static_cast<int>(key.size() + 1),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Statement(nullptr, ToStatus(code));
  statements_.emplace(key, statement);
  return Statement(statement, absl::OkStatus());
}

absl::Status SqliteConnection::Execute(const char* sql) {
  errno = 0;
  const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  return ToStatus(code, errno);
}

absl::StatusOr<std::int64_t> SqliteConnection::QueryInt(std::string_view sql) {
  Statement statement = Prepare(sql);
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return absl::NotFoundError("no row");
  return statement.Int(0);
}

absl::StatusOr<std::string> SqliteConnection::QueryText(std::string_view sql) {
  Statement statement = Prepare(sql);
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return absl::NotFoundError("no row");
  return statement.Text(0);
}

std::int64_t SqliteConnection::Changes() const { return sqlite3_changes64(database_); }

bool SqliteConnection::InTransaction() const { return sqlite3_get_autocommit(database_) == 0; }

absl::Status SqliteConnection::CheckpointOnClose(bool wanted) {
  return ToStatus(
      sqlite3_db_config(database_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, wanted ? 0 : 1, nullptr));
}

}  // namespace lumaedit
