#include "client/backoff.h"

#include <algorithm>

namespace lumaedit::client {

Backoff::Backoff(BackoffOptions options)
    : options_(options), step_(options.initial), random_(std::random_device{}()) {}

absl::Duration Backoff::Next(std::optional<absl::Duration> retry_after) {
  std::uniform_real_distribution<double> spread(0.0, 1.0);
  absl::Duration wait = step_ * (0.5 + 0.5 * spread(random_));
  step_ = std::min(step_ * 2, options_.cap);
  if (retry_after.has_value()) {
    const absl::Duration asked = std::min(*retry_after, kLongestRetryAfter);
    wait = std::max(wait, asked * (1.0 + 0.1 * spread(random_)));
  }
  return wait;
}

void Backoff::Reset() { step_ = options_.initial; }

}  // namespace lumaedit::client
