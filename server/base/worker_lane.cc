#include "server/base/worker_lane.h"

#include <utility>

namespace lumaedit {

WorkerLane::WorkerLane(Worker& worker, int width, std::size_t queue_limit)
    : worker_(worker), width_(width), queue_limit_(queue_limit) {}

bool WorkerLane::TryPost(Task task) {
  bool starts = false;
  {
    MutexLock lock(mutex_);
    if (queue_.size() >= queue_limit_) return false;
    starts = Queue(std::move(task));
  }
  if (starts) worker_.Post([this] { RunOne(); });
  return true;
}

void WorkerLane::Post(Task task) {
  bool starts = false;
  {
    MutexLock lock(mutex_);
    starts = Queue(std::move(task));
  }
  if (starts) worker_.Post([this] { RunOne(); });
}

bool WorkerLane::Queue(Task task) {
  queue_.push_back(std::move(task));
  if (running_ == width_) return false;
  ++running_;
  return true;
}

void WorkerLane::RunOne() {
  Task task;
  {
    MutexLock lock(mutex_);
    // Another of the lane's turns may have taken the last one.
    if (queue_.empty()) {
      --running_;
      return;
    }
    task = std::move(queue_.front());
    queue_.pop_front();
  }
  std::move(task)();
  {
    MutexLock lock(mutex_);
    if (queue_.empty()) {
      --running_;
      return;
    }
  }
  // Posted anew rather than run at once, so that the worker's own other work gets its turn.
  worker_.Post([this] { RunOne(); });
}

}  // namespace lumaedit
