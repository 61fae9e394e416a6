#include "server/job/pace.h"

#include <algorithm>

namespace lumaedit {

void Pace::OnSent(absl::Duration now) { last_sent_ = std::max(last_sent_, now); }

void Pace::OnRateLimited(const std::optional<RateLimit>& told, absl::Duration wait,
                         absl::Duration now) {
  if (told && told->limit > 0 && told->interval > absl::ZeroDuration()) {
    told_gap_ = told->interval / told->limit;
    gap_ = told_gap_;
    recover_every_ = std::max(settings_.recover_every, told->interval);
  } else if (is_limited() && now >= hold_until_) {
    // Answers to what was in flight at the first 429 are the same news.
    gap_ = std::min(gap_ * 2, told_gap_ * 2);
  }
  hold_until_ = std::max(hold_until_, now + wait);
  recover_at_ = now + recover_every_;
}

void Pace::Recover(absl::Duration now) {
  while (is_limited() && now >= recover_at_) {
    recover_at_ += recover_every_;
    gap_ /= settings_.recover_by;
    if (gap_ * settings_.forget_at < told_gap_) gap_ = absl::ZeroDuration();
  }
}

absl::Duration Pace::NextAt(absl::Duration now) {
  Recover(now);
  if (!is_limited()) return hold_until_;
  return std::max(hold_until_, last_sent_ + gap_);
}

}  // namespace lumaedit
