// Where one coroutine waits for a time or a nudge, whichever comes first.
//
// Owned by the object whose coroutine waits. All methods run on the executor's thread. A nudge
// with nobody waiting is remembered, so that none is lost between two waits.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "absl/time/time.h"
#include "server/base/clock.h"

namespace lumaedit {

class Signal {
 public:
  Signal(const boost::asio::any_io_executor& executor, Clock& clock);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // Returns true when nudged, false when `timeout` (of uptime) has passed.
  boost::asio::awaitable<bool> WaitFor(absl::Duration timeout);

  // Ends the wait, or the next one.
  void Notify();

 private:
  Clock& clock_;
  boost::asio::steady_timer timer_;
  bool nudged_ = false;
};

}  // namespace lumaedit
