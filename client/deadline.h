// A point on the steady clock after which a wait is over. Wall time may jump; a wait must not.
//
// A plain value, usable from any thread.
#pragma once

#include <grpc/support/time.h>

#include <chrono>
#include <stop_token>

#include "absl/time/time.h"

namespace lumaedit::client {

class Deadline {
 public:
  // `absl::InfiniteDuration()` never passes.
  static Deadline After(absl::Duration duration);

  bool Passed() const { return Left() <= absl::ZeroDuration(); }
  absl::Duration Left() const;

 private:
  explicit Deadline(std::chrono::steady_clock::time_point time, bool infinite)
      : time_(time), infinite_(infinite) {}

  std::chrono::steady_clock::time_point time_;
  bool infinite_;
};

// `duration` from now, as gRPC's calls and completion queues take it.
gpr_timespec GprAfter(absl::Duration duration);

// Blocks until `duration` is over (true) or `stop` is requested (false), whichever comes first.
bool WaitFor(absl::Duration duration, const std::stop_token& stop);

}  // namespace lumaedit::client
