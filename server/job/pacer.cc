#include "server/job/pacer.h"

#include <algorithm>

namespace lumaedit {
namespace {

// Without a further 429 the limit is raised by one every so many intervals, and forgotten once it
// has grown to so many times what was learned.
constexpr int kIntervalsPerStep = 10;
constexpr int kForgottenAt = 4;

// Times are kept for this many POSTs at most; a limit beyond it is no limit in practice.
constexpr int kMostRequests = 1000;

}  // namespace

void Pacer::OnSent(absl::Duration now) {
  sent_.push_back(now);
  if (sent_.size() > static_cast<std::size_t>(kMostRequests)) sent_.pop_front();
}

void Pacer::OnLimited(const std::optional<RateLimit>& limit, absl::Duration wait,
                      absl::Duration now) {
  wait_until_ = std::max(wait_until_, now + wait);
  if (!limit || limit->limit < 1 || limit->limit > kMostRequests ||
      limit->interval <= absl::ZeroDuration() || limit->interval > absl::Hours(1)) {
    return;
  }
  limit_ = limit;
  learned_requests_ = limit->limit;
  last_step_ = now;
}

void Pacer::Recover(absl::Duration now) {
  while (limit_ && now - last_step_ >= limit_->interval * kIntervalsPerStep) {
    last_step_ += limit_->interval * kIntervalsPerStep;
    if (++limit_->limit > learned_requests_ * kForgottenAt) limit_.reset();
  }
}

absl::Duration Pacer::NextSlot(absl::Duration now) {
  Recover(now);
  absl::Duration slot = wait_until_;
  if (limit_) {
    while (!sent_.empty() && now - sent_.front() >= limit_->interval) sent_.pop_front();
    if (sent_.size() >= static_cast<std::size_t>(limit_->limit)) {
      const auto oldest_that_counts = sent_.end() - static_cast<std::ptrdiff_t>(limit_->limit);
      slot = std::max(slot, *oldest_that_counts + limit_->interval);
    }
  }
  return slot;
}

}  // namespace lumaedit
