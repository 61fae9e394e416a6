// How fast POSTs may go out: unlimited until the upstream says otherwise, then what its 429 bodies
// taught, recovering slowly (protocol.md section 3; upstream.md 5.4: a sliding window per model).
//
// Owned by the Dispatcher, one per upstream account and model; I/O thread. Times are uptime.
#pragma once

#include <deque>
#include <optional>

#include "absl/time/time.h"
#include "server/job/upstream.h"

namespace lumaedit {

class Pacer {
 public:
  // A POST goes out now.
  void OnSent(absl::Duration now);

  // A recognised 429: what it said of the limit, if anything, and how long to wait.
  void OnLimited(const std::optional<RateLimit>& limit, absl::Duration wait, absl::Duration now);

  // When the next POST may go out; `now` or earlier: at once.
  absl::Duration NextSlot(absl::Duration now);

  std::optional<RateLimit> limit() const { return limit_; }

 private:
  void Recover(absl::Duration now);

  std::optional<RateLimit> limit_;
  int learned_requests_ = 0;  // as the upstream last said it
  absl::Duration last_step_;  // when the limit was learned or last raised
  absl::Duration wait_until_ = -absl::InfiniteDuration();
  std::deque<absl::Duration> sent_;  // within the last interval, oldest first
};

}  // namespace lumaedit
