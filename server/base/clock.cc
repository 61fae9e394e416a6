#include "server/base/clock.h"

#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"

namespace lumaedit {

absl::Time SystemClock::Now() const { return absl::Now(); }

absl::Duration SystemClock::Uptime() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

void SystemClock::Arm(boost::asio::steady_timer& timer, absl::Duration delay) {
  // Asio computes "now + delay" in nanoseconds; a year is far beyond any wait and far from
  // overflow.
  const absl::Duration bounded = std::clamp(delay, absl::ZeroDuration(), absl::Hours(24 * 365));
  timer.expires_after(absl::ToChronoNanoseconds(bounded));
}

void SystemClock::Disarm(boost::asio::steady_timer&) {}

}  // namespace lumaedit
