// A clock that moves only when a test says so.
//
// Owned by the test. Now and Uptime: any thread; the rest belongs to the thread that steps the
// io_context. Wall time and uptime move together, but for JumpWallTime.
#pragma once

#include <map>
#include <optional>

#include "server/base/clock.h"
#include "server/base/mutex.h"

namespace lumaedit {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(absl::Time start);

  absl::Time Now() const override;
  absl::Duration Uptime() const override;
  void Arm(boost::asio::steady_timer& timer, absl::Duration delay) override;
  void Disarm(boost::asio::steady_timer& timer) override;

  // Moves both times and ends the waits that are due.
  void Advance(absl::Duration by);

  // As an operator or NTP would: waits do not notice.
  void JumpWallTime(absl::Duration by);

  // Until the next wait ends; unset: nobody waits.
  std::optional<absl::Duration> NextDue() const;

 private:
  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration uptime_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(1000);
  std::map<boost::asio::steady_timer*, absl::Duration> armed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
