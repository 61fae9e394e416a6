#include "server/base/worker.h"

#include <pthread.h>

namespace lumaedit {

ThreadWorker::ThreadWorker(std::string name, int threads, std::size_t queue_limit)
    : queue_limit_(queue_limit) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    // The kernel keeps 15 characters of a thread's name.
    pthread_setname_np(threads_.back().native_handle(), name.substr(0, 15).c_str());
  }
}

ThreadWorker::~ThreadWorker() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadWorker::TryPost(Task task) {
  {
    MutexLock lock(mutex_);
    if (brought_.size() >= queue_limit_) return false;
    brought_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void ThreadWorker::Post(Task task) {
  {
    MutexLock lock(mutex_);
    own_.push_back(std::move(task));
  }
  wake_.notify_one();
}

std::size_t ThreadWorker::queued() const {
  MutexLock lock(mutex_);
  return own_.size() + brought_.size();
}

void ThreadWorker::Run() {
  for (;;) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (own_.empty() && brought_.empty() && !stopping_) wake_.wait(mutex_);
      if (own_.empty() && brought_.empty()) return;
      std::deque<Task>& next = own_.empty() ? brought_ : own_;
      task = std::move(next.front());
      next.pop_front();
    }
    std::move(task)();
  }
}

bool InlineWorker::TryPost(Task task) {
  std::move(task)();
  return true;
}

void InlineWorker::Post(Task task) { std::move(task)(); }

}  // namespace lumaedit
