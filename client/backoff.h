// How long to wait before the next try: doubling, capped, with random spread, so that ten thousand
// watchers of a restarted gateway do not come back in the same millisecond.
//
// One Backoff belongs to one call or watch and is used by its thread only.
#pragma once

#include <optional>
#include <random>

#include "absl/time/time.h"

namespace lumaedit::client {

struct BackoffOptions {
  absl::Duration initial = absl::Milliseconds(200);
  absl::Duration cap = absl::Seconds(10);
};

// No wait the gateway asks for is followed beyond this: a wrong one must not park a caller for
// ever.
inline constexpr absl::Duration kLongestRetryAfter = absl::Minutes(2);

class Backoff {
 public:
  explicit Backoff(BackoffOptions options);

  // The next wait: between half of the present step and all of it, and not below what the gateway
  // asked for (RetryInfo), which is itself spread upwards by up to a tenth.
  absl::Duration Next(std::optional<absl::Duration> retry_after);

  // Progress was made: the next wait is the initial one again.
  void Reset();

 private:
  const BackoffOptions options_;
  absl::Duration step_;
  std::mt19937_64 random_;
};

}  // namespace lumaedit::client
