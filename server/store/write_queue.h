// Group commit: many threads write, one of them commits for all.
//
// Each thread queues its operation and waits. The one at the front becomes the leader: it runs up
// to kMostOperations queued operations in one transaction, a savepoint each, commits once and wakes
// the others. It never waits for company, so a lone write is not delayed, and while one commit
// reaches the disk the next batch gathers by itself. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

class WriteQueue {
 public:
  // Runs on some thread that is inside Run, never on two at once. Must not call Run. When it fails,
  // nothing of what it wrote is kept, and the operations beside it are not touched.
  using Operation = absl::FunctionRef<absl::Status(SqliteConnection&)>;

  static constexpr int kMostOperations = 64;

  // Told of every commit: how long it took, and how many operations it made durable.
  using OnCommit = std::function<void(absl::Duration took, int operations)>;

  explicit WriteQueue(std::unique_ptr<SqliteConnection> connection, OnCommit on_commit = nullptr);

  // OK: durable. Else the operation's own error, or that of the transaction or the commit: nothing
  // was written (after a failed commit: unless a later crash brings it back, so re-read).
  absl::Status Run(Operation operation);

  std::int64_t commits() const;

 private:
  struct Waiter {
    explicit Waiter(Operation op) : operation(op) {}
    Operation operation;
    absl::Status status;
    bool done = false;
    CondVar wake;
  };

  void RunBatch(const std::deque<Waiter*>& batch);
  absl::Status RunOperations(const std::deque<Waiter*>& batch);

  // The leader's: there is one leader at a time, and it hands over under mutex_.
  const std::unique_ptr<SqliteConnection> connection_;
  const OnCommit on_commit_;

  mutable Mutex mutex_;
  std::deque<Waiter*> waiters_
      GUARDED_BY(mutex_);  // the leader stays at the front until it is done
  std::int64_t commits_ GUARDED_BY(mutex_) = 0;
};

}  // namespace lumaedit
