#include "tests/history/timers.h"

#include <utility>

namespace lumaedit {

Timers::Timers() : thread_([this] { Run(); }) {}

Timers::~Timers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Timers::After(double seconds, std::function<void()> run) {
  const auto wait = std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
  {
    const std::lock_guard lock(mutex_);
    due_.emplace(std::chrono::steady_clock::now() + wait, std::move(run));
  }
  changed_.notify_all();
}

void Timers::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (due_.empty()) {
      if (stopping_) return;
      changed_.wait(lock);
      continue;
    }
    const auto first = due_.begin();
    if (!stopping_ && first->first > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, first->first);
      continue;
    }
    const std::function<void()> run = std::move(first->second);
    due_.erase(first);
    lock.unlock();
    run();
    lock.lock();
  }
}

}  // namespace lumaedit
