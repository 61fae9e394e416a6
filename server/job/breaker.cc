#include "server/job/breaker.h"

#include <algorithm>

namespace lumaedit {
namespace {

absl::Duration Doubled(absl::Duration first, int times, absl::Duration most) {
  absl::Duration pause = first;
  for (int i = 0; i < times && pause < most; ++i) pause *= 2;
  return std::min(pause, most);
}

}  // namespace

void Breaker::OnClear() {
  unclear_ = 0;
  pauses_ = 0;
  one_at_a_time_ = false;
}

void Breaker::OnUnclear(absl::Duration now) {
  one_at_a_time_ = true;
  if (++unclear_ >= settings_.unclear_in_a_row) Pause(settings_.unclear_first, now);
}

void Breaker::OnEveryoneRefused(absl::Duration now) {
  one_at_a_time_ = true;
  Pause(settings_.refused_first, now);
}

void Breaker::Pause(absl::Duration first, absl::Duration now) {
  // Answers to what was in flight when the pause began are the same outage, not a failed probe.
  if (now < paused_until_) return;
  paused_until_ = now + Doubled(first, pauses_++, settings_.most);
  HoldUntil(paused_until_);
}

void Breaker::HoldUntil(absl::Duration until) { hold_until_ = std::max(hold_until_, until); }

void Breaker::ForgetRefusal() {
  pauses_ = 0;
  hold_until_ = -absl::InfiniteDuration();
  paused_until_ = -absl::InfiniteDuration();
}

}  // namespace lumaedit
