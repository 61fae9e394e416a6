#include "server/store/write_queue.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "server/job/error.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

// What an operation calls (a decision, a JSON library) may throw; its neighbours must not pay.
absl::Status RunGuarded(WriteQueue::Operation operation, SqliteConnection& connection) {
  try {
    return operation(connection);
  } catch (const std::exception&) {
    return MakeError(absl::StatusCode::kInternal, ErrorReason::kInternal,
                     "an operation on the store threw an exception");
  }
}

}  // namespace

WriteQueue::WriteQueue(std::unique_ptr<SqliteConnection> connection, OnCommit on_commit)
    : connection_(std::move(connection)), on_commit_(std::move(on_commit)) {}

absl::Status WriteQueue::Run(Operation operation) {
  Waiter self(operation);
  std::deque<Waiter*> batch;
  {
    MutexLock lock(mutex_);
    waiters_.push_back(&self);
    while (!self.done && waiters_.front() != &self) self.wake.wait(mutex_);
    if (self.done) return self.status;
    const auto size = std::min<std::size_t>(waiters_.size(), kMostOperations);
    batch.assign(waiters_.begin(), waiters_.begin() + size);
  }

  RunBatch(batch);

  MutexLock lock(mutex_);
  waiters_.erase(waiters_.begin(), waiters_.begin() + batch.size());
  // Woken under the lock: a waiter that is done returns, and its condition variable with it.
  for (Waiter* waiter : batch) {
    waiter->done = true;
    if (waiter != &self) waiter->wake.notify_one();
  }
  if (!waiters_.empty()) waiters_.front()->wake.notify_one();
  return self.status;
}

void WriteQueue::RunBatch(const std::deque<Waiter*>& batch) {
  absl::Status status = RunOperations(batch);
  if (status.ok()) return;
  if (connection_->InTransaction()) connection_->Execute("ROLLBACK").IgnoreError();
  // Also those that failed by themselves: they may have judged by what is now undone.
  for (Waiter* waiter : batch) waiter->status = status;
}

absl::Status WriteQueue::RunOperations(const std::deque<Waiter*>& batch) {
  SqliteConnection& connection = *connection_;
  RETURN_IF_ERROR(connection.Prepare("BEGIN IMMEDIATE").Run());
  for (Waiter* waiter : batch) {
    RETURN_IF_ERROR(connection.Prepare("SAVEPOINT operation").Run());
    waiter->status = RunGuarded(waiter->operation, connection);
    // SQLite ends the whole transaction by itself on a full disk and on some errors of I/O.
    if (!connection.InTransaction()) {
      return waiter->status.ok()
                 ? MakeError(absl::StatusCode::kUnavailable, ErrorReason::kStoreUnavailable,
                             "the transaction ended by itself")
                 : waiter->status;
    }
    if (!waiter->status.ok()) {
      RETURN_IF_ERROR(connection.Prepare("ROLLBACK TO operation").Run());
    }
    RETURN_IF_ERROR(connection.Prepare("RELEASE operation").Run());
  }
  const auto begun = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(connection.Prepare("COMMIT").Run());
  if (on_commit_) {
    on_commit_(absl::FromChrono(std::chrono::steady_clock::now() - begun),
               static_cast<int>(batch.size()));
  }
  MutexLock lock(mutex_);
  ++commits_;
  return absl::OkStatus();
}

std::int64_t WriteQueue::commits() const {
  MutexLock lock(mutex_);
  return commits_;
}

}  // namespace lumaedit
