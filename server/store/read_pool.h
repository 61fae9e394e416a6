// Connections for reading, lent out one at a time: readers see a committed state and never wait for
// the writer. Thread-safe.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "server/base/mutex.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

class ReadPool {
 public:
  explicit ReadPool(std::vector<std::unique_ptr<SqliteConnection>> connections);

  // Runs `read` in one read transaction: all its queries see the same state. Waits for a free
  // connection; `read` must not call Run.
  absl::Status Run(absl::FunctionRef<absl::Status(SqliteConnection&)> read);

 private:
  std::unique_ptr<SqliteConnection> Take();
  void GiveBack(std::unique_ptr<SqliteConnection> connection);

  Mutex mutex_;
  CondVar given_back_;
  std::vector<std::unique_ptr<SqliteConnection>> free_ GUARDED_BY(mutex_);
};

}  // namespace lumaedit
