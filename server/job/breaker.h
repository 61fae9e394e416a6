// When to send and how many at once, after answers that were no clear yes or no (protocol.md
// section 3): an outage costs a handful of jobs in doubt, not the backlog. For one upstream account
// and model.
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
    absl::Duration unclear_most = absl::Minutes(5);
    absl::Duration refused_first = absl::Minutes(1);
    absl::Duration refused_most = absl::Minutes(5);
  };
  explicit Breaker(Settings settings) : settings_(settings) {}

  // A clear answer: a yes, a no to this edit, a rate limit.
  void OnClear();
  // The job is UNCONFIRMED: one at a time from here on, and a pause after three in a row.
  void OnUnclear(absl::Duration now);
  // Perhaps everybody is refused: a pause, then one probe job.
  void OnEveryoneRefused(absl::Duration now);
  // The key was changed: no reason to wait any longer for the old one. Doubts about answers stay.
  void ForgetRefusal();

  int Limit(int most_in_flight) const { return one_at_a_time_ ? 1 : most_in_flight; }
  bool MaySend(absl::Duration now) const { return now >= hold_until(); }
  absl::Duration hold_until() const;
  // The pause is one for refusals that perhaps concern everybody.
  bool IsRefused(absl::Duration now) const { return now < refused_.until; }

 private:
  struct Pauses {
    int count = 0;
    absl::Duration until = -absl::InfiniteDuration();
    // Answers to what was in flight when a pause began are the same outage, not a failed probe.
    void Begin(absl::Duration first, absl::Duration most, absl::Duration now);
  };

  const Settings settings_;
  int unclear_in_a_row_ = 0;
  bool one_at_a_time_ = false;
  Pauses unclear_;
  Pauses refused_;
};

}  // namespace lumaedit
