#include "tests/fakes/manual_clock.h"

#include <algorithm>
#include <vector>

namespace lumaedit {

ManualClock::ManualClock(absl::Time start) : now_(start) {}

absl::Time ManualClock::Now() const {
  MutexLock lock(mutex_);
  return now_;
}

absl::Duration ManualClock::Uptime() const {
  MutexLock lock(mutex_);
  return uptime_;
}

void ManualClock::Arm(boost::asio::steady_timer& timer, absl::Duration delay) {
  timer.expires_at(boost::asio::steady_timer::time_point::max());
  MutexLock lock(mutex_);
  armed_[&timer] = uptime_ + std::max(delay, absl::ZeroDuration());
}

void ManualClock::Disarm(boost::asio::steady_timer& timer) {
  MutexLock lock(mutex_);
  armed_.erase(&timer);
}

void ManualClock::Advance(absl::Duration by) {
  std::vector<boost::asio::steady_timer*> due;
  {
    MutexLock lock(mutex_);
    now_ += by;
    uptime_ += by;
    for (auto it = armed_.begin(); it != armed_.end();) {
      if (it->second <= uptime_) {
        due.push_back(it->first);
        it = armed_.erase(it);
      } else {
        ++it;
      }
    }
  }
  // Cancelling only queues the waiter: no timer of the list goes away meanwhile.
  for (boost::asio::steady_timer* timer : due) timer->cancel();
}

void ManualClock::JumpWallTime(absl::Duration by) {
  MutexLock lock(mutex_);
  now_ += by;
}

std::optional<absl::Duration> ManualClock::NextDue() const {
  MutexLock lock(mutex_);
  std::optional<absl::Duration> next;
  for (const auto& [timer, due] : armed_) {
    const absl::Duration left = std::max(due - uptime_, absl::ZeroDuration());
    next = next ? std::min(*next, left) : left;
  }
  return next;
}

}  // namespace lumaedit
