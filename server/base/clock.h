// The time as everything below `app` sees it: wall time for records, uptime for waits.
//
// Wall time may jump (NTP, an operator); uptime never does. A deadline that matters is therefore
// kept in uptime, and a record in wall time. Owned by `app`; every method may be called from any
// thread, but for Arm, which belongs to the thread that runs the timer's executor.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "absl/time/time.h"

namespace lumaedit {

class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time, to be written down. Never used to decide how long to wait.
  virtual absl::Time Now() const = 0;

  // Time since an arbitrary start; never goes back.
  virtual absl::Duration Uptime() const = 0;

  // Lets `timer` expire once Uptime() has grown by `delay`. A clock of a test keeps the timer and
  // cancels it when its own time has come, so a waiter must look at Uptime(), not at the error
  // code.
  virtual void Arm(boost::asio::steady_timer& timer, absl::Duration delay) = 0;

  // Forgets `timer`; called before a timer that was armed is destroyed.
  virtual void Disarm(boost::asio::steady_timer& timer) = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration Uptime() const override;
  void Arm(boost::asio::steady_timer& timer, absl::Duration delay) override;
  void Disarm(boost::asio::steady_timer& timer) override;
};

}  // namespace lumaedit
