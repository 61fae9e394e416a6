#include "server/job/breaker.h"

#include <algorithm>

namespace lumaedit {

void Breaker::Pauses::Begin(absl::Duration first, absl::Duration most, absl::Duration now) {
  if (now < until) return;
  absl::Duration pause = first;
  for (int i = 0; i < count && pause < most; ++i) pause *= 2;
  until = now + std::min(pause, most);
  ++count;
}

void Breaker::OnClear() {
  unclear_in_a_row_ = 0;
  one_at_a_time_ = false;
  unclear_.count = 0;
  refused_.count = 0;
}

void Breaker::OnUnclear(absl::Duration now) {
  one_at_a_time_ = true;
  if (++unclear_in_a_row_ >= settings_.unclear_in_a_row) {
    unclear_.Begin(settings_.unclear_first, settings_.unclear_most, now);
  }
}

void Breaker::OnEveryoneRefused(absl::Duration now) {
  one_at_a_time_ = true;
  refused_.Begin(settings_.refused_first, settings_.refused_most, now);
}

absl::Duration Breaker::hold_until() const { return std::max(unclear_.until, refused_.until); }

void Breaker::ForgetRefusal() { refused_ = Pauses{}; }

}  // namespace lumaedit
