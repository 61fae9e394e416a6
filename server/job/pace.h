// How fast POSTs may follow each other, for one upstream account and model (protocol.md section 3,
// "Pace"): unlimited until the upstream tells a limit in a 429, then a token bucket of that limit
// that recovers slowly.
//
// The upstream counts accepted POSTs in a sliding window (upstream.md 5.4), so the bucket holds one
// token: a bucket of `limit` tokens would send twice the limit within one window. Owned by the
// Dispatcher; I/O thread. Times are uptime.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "server/job/upstream.h"

namespace lumaedit {

class Pace {
 public:
  struct Settings {
    // After so long without a 429, and at least one interval, POSTs may follow a little faster.
    absl::Duration recover_every = absl::Minutes(1);
    double recover_by = 1.05;
    // This many times what was told: there is no limit any more.
    double forget_at = 10;
  };
  explicit Pace(Settings settings) : settings_(settings) {}

  // A POST goes out.
  void OnSent(absl::Duration now);
  // A recognised 429: nothing is sent before `wait` is over, and then at the rate that it told. One
  // that told none halves a rate that is known.
  void OnRateLimited(const std::optional<RateLimit>& told, absl::Duration wait, absl::Duration now);

  // The next POST goes out no earlier. Raises the rate where it is due.
  absl::Duration NextAt(absl::Duration now);

  bool is_limited() const { return gap_ > absl::ZeroDuration(); }
  // Between two POSTs; zero: no limit is known.
  absl::Duration gap() const { return gap_; }

 private:
  void Recover(absl::Duration now);

  const Settings settings_;
  absl::Duration gap_ = absl::ZeroDuration();
  absl::Duration told_gap_ = absl::ZeroDuration();
  absl::Duration recover_every_ = absl::ZeroDuration();
  absl::Duration recover_at_ = absl::InfiniteDuration();
  absl::Duration last_sent_ = -absl::InfiniteDuration();
  absl::Duration hold_until_ = -absl::InfiniteDuration();
};

}  // namespace lumaedit
