#include "server/store/read_pool.h"

#include <exception>

#include "server/job/error.h"
#include "server/store/status_macros.h"

namespace lumaedit {

ReadPool::ReadPool(std::vector<std::unique_ptr<SqliteConnection>> connections)
    : free_(std::move(connections)) {}

absl::Status ReadPool::Run(absl::FunctionRef<absl::Status(SqliteConnection&)> read) {
  std::unique_ptr<SqliteConnection> connection = Take();
  absl::Status status = connection->Prepare("BEGIN").Run();
  if (status.ok()) {
    try {
      status = read(*connection);
    } catch (const std::exception&) {
      status = MakeError(absl::StatusCode::kInternal, ErrorReason::kInternal,
                         "reading the store threw an exception");
    }
    // A transaction that only read has nothing to keep, and ending it so cannot fail.
    if (connection->InTransaction()) connection->Prepare("ROLLBACK").Run().IgnoreError();
  }
  GiveBack(std::move(connection));
  return status;
}

std::unique_ptr<SqliteConnection> ReadPool::Take() {
  MutexLock lock(mutex_);
  while (free_.empty()) given_back_.wait(mutex_);
  std::unique_ptr<SqliteConnection> connection = std::move(free_.back());
  free_.pop_back();
  return connection;
}

void ReadPool::GiveBack(std::unique_ptr<SqliteConnection> connection) {
  {
    MutexLock lock(mutex_);
    free_.push_back(std::move(connection));
  }
  given_back_.notify_one();
}

}  // namespace lumaedit
