// When to send and how many at once, after answers that were no clear yes or no (protocol.md
// section 3): an outage costs a handful of jobs in doubt, not the backlog.
//
// Owned by the Dispatcher; I/O thread. Times are uptime.
#pragma once

#include "absl/time/time.h"

namespace lumaedit {

class Breaker {
 public:
  struct Settings {
    int unclear_in_a_row = 3;
    absl::Duration unclear_first = absl::Seconds(30);
    absl::Duration refused_first = absl::Minutes(1);
    absl::Duration most = absl::Minutes(5);
  };
  explicit Breaker(Settings settings) : settings_(settings) {}

  // A clear answer: a yes, a no to this edit, a rate limit.
  void OnClear();
  // The job is UNCONFIRMED: one at a time from here on, and a pause after three in a row.
  void OnUnclear(absl::Duration now);
  // Perhaps everybody is refused: a pause, then one probe job.
  void OnEveryoneRefused(absl::Duration now);
  // Until then nothing is sent: a rate limit's wait.
  void HoldUntil(absl::Duration until);
  // The key was changed: no reason to wait any longer for the old one.
  void ForgetRefusal();

  int Limit(int most_in_flight) const { return one_at_a_time_ ? 1 : most_in_flight; }
  bool MaySend(absl::Duration now) const { return now >= hold_until_; }
  absl::Duration hold_until() const { return hold_until_; }

 private:
  void Pause(absl::Duration first, absl::Duration now);

  const Settings settings_;
  int unclear_ = 0;
  int pauses_ = 0;
  bool one_at_a_time_ = false;
  absl::Duration hold_until_ = -absl::InfiniteDuration();
  absl::Duration paused_until_ = -absl::InfiniteDuration();
};

}  // namespace lumaedit
