// One SQLite connection and its statements. Statements are prepared once and values are bound,
// never written into the text.
//
// Owned by the write queue or by the pool of readers; used by one thread at a time. Errors:
// UNAVAILABLE kStorageFull (no space), ALREADY_EXISTS (a unique index), DATA_LOSS (corrupt),
// UNAVAILABLE kStoreUnavailable (I/O, locks, memory), INTERNAL (anything else: a bug of ours).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace lumaedit {

// A prepared statement in use; resets it when destroyed. Parameters are bound from left to right.
// An error of binding is kept and answered by Step or Run. Must not outlive its connection.
class Statement {
 public:
  Statement(sqlite3_stmt* statement, absl::Status status);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(std::int64_t value);
  Statement& Bind(std::string_view value);
  Statement& BindNull();
  // Microseconds UTC; NULL for InfinitePast, which means unset.
  Statement& BindTime(absl::Time value);
  Statement& BindOptional(const std::optional<std::string>& value);

  // True: a row is there to be read. False: no more rows.
  absl::StatusOr<bool> Step();
  // For statements without rows.
  absl::Status Run();

  // Columns of the current row from left to right, from 0.
  std::int64_t Int(int column) const;
  std::string Text(int column) const;
  bool IsNull(int column) const;
  absl::Time Time(int column) const;
  std::optional<std::string> OptionalText(int column) const;

 private:
  void Keep(int code);

  sqlite3_stmt* const statement_;
  absl::Status status_;
  int bound_ = 0;
};

class SqliteConnection {
 public:
  enum class Mode { kCreate, kReadWrite, kReadOnly };

  // `vfs` empty: the platform's own.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path, Mode mode,
                                                                const std::string& vfs);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // From the cache of this connection. `sql` is text of ours without values in it.
  Statement Prepare(std::string_view sql);

  // One or more statements without parameters and without rows to read.
  absl::Status Execute(const char* sql);

  // The first column of the first row; for pragmas.
  absl::StatusOr<std::int64_t> QueryInt(std::string_view sql);
  absl::StatusOr<std::string> QueryText(std::string_view sql);

  // Rows changed by the newest INSERT, UPDATE or DELETE.
  std::int64_t Changes() const;

  // False: none was begun, or an error ended it (SQLite rolls back by itself on some).
  bool InTransaction() const;

  // Whether closing the last connection moves the log into the database file.
  absl::Status CheckpointOnClose(bool wanted);

 private:
  explicit SqliteConnection(sqlite3* database) : database_(database) {}

  sqlite3* const database_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace lumaedit
