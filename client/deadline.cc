#include "client/deadline.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace lumaedit::client {
namespace {

// Longer than anybody waits, and short enough to be added to any clock without overflow.
constexpr absl::Duration kFarAway = absl::Hours(24 * 365);

}  // namespace

Deadline Deadline::After(absl::Duration duration) {
  const bool infinite = duration >= kFarAway;
  const absl::Duration bounded = std::clamp(duration, absl::ZeroDuration(), kFarAway);
  return Deadline(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(bounded), infinite);
}

absl::Duration Deadline::Left() const {
  if (infinite_) return absl::InfiniteDuration();
  return absl::FromChrono(time_ - std::chrono::steady_clock::now());
}

gpr_timespec GprAfter(absl::Duration duration) {
  if (duration >= kFarAway) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  const absl::Duration bounded = std::max(duration, absl::ZeroDuration());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(bounded), GPR_TIMESPAN));
}

bool WaitFor(absl::Duration duration, const std::stop_token& stop) {
  const absl::Duration bounded = std::clamp(duration, absl::ZeroDuration(), kFarAway);
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, absl::ToChronoNanoseconds(bounded), [] { return false; });
  return !stop.stop_requested();
}

}  // namespace lumaedit::client
