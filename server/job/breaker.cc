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
  if (++unclear_ < settings_.unclear_in_a_row) return;
  HoldUntil(now + Doubled(settings_.unclear_first, pauses_++, settings_.most));
}

void Breaker::OnEveryoneRefused(absl::Duration now) {
  one_at_a_time_ = true;
  HoldUntil(now + Doubled(settings_.refused_first, pauses_++, settings_.most));
}

void Breaker::HoldUntil(absl::Duration until) { hold_until_ = std::max(hold_until_, until); }

void Breaker::ForgetRefusal() {
  pauses_ = 0;
  hold_until_ = -absl::InfiniteDuration();
}

}  // namespace lumaedit
