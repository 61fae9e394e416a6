// A part of another worker's threads, for work of which there may be so much that it would keep all
// of them: at most `width` tasks are with the worker, as its own work, and the others wait here in
// their order. The worker needs more threads than that, or what callers bring to it starves.
//
// Owned by whoever posts; must outlive what it has posted to the worker. Thread-safe.
#pragma once

#include <cstddef>
#include <deque>

#include "server/base/mutex.h"
#include "server/base/worker.h"

namespace lumaedit {

class WorkerLane final : public Worker {
 public:
  WorkerLane(Worker& worker, int width, std::size_t queue_limit);

  bool TryPost(Task task) override;
  void Post(Task task) override;

 private:
  void RunOne();
  // Whether a task more is to be with the worker.
  bool Queue(Task task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Worker& worker_;
  const int width_;
  const std::size_t queue_limit_;
  Mutex mutex_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;  // with the worker, begun or not
};

}  // namespace lumaedit
