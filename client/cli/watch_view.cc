#include "client/cli/watch_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/text.h"
#include "client/job_state.h"

namespace lumaedit::client::cli {

void WatchView::Take(const v1::Transition& transition) {
  const std::lock_guard lock(mutex_);
  next_try_.reset();
  state_ = transition.state();
  stalled_ = false;
  if (transition.state() != v1::Job::STATE_PENDING) jobs_ahead_ = 0;
  if (!began_.has_value()) began_ = ToTime(transition.record_time());
  // not_after is the poll that saw it.
  if (transition.has_not_after()) last_poll_ = ToTime(transition.not_after());
}

void WatchView::Take(const v1::Job& job) {
  const std::lock_guard lock(mutex_);
  next_try_.reset();
  state_ = job.state();
  stalled_ = job.stalled();
  jobs_ahead_ = job.jobs_ahead();
  if (job.has_create_time()) began_ = ToTime(job.create_time());
  if (job.has_last_poll_time()) last_poll_ = ToTime(job.last_poll_time());
}

void WatchView::Take(const v1::Heartbeat& heartbeat) {
  const std::lock_guard lock(mutex_);
  next_try_.reset();
  stalled_ = heartbeat.stalled();
  if (heartbeat.has_last_poll_time()) last_poll_ = ToTime(heartbeat.last_poll_time());
}

void WatchView::Interrupted(absl::Time next_try) {
  const std::lock_guard lock(mutex_);
  next_try_ = next_try;
}

std::string WatchView::Line(absl::Time now, int columns) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> parts;
  parts.push_back(state_ == v1::Job::STATE_UNSPECIFIED ? "connecting"
                                                       : std::string(StateName(state_)));
  if (began_.has_value()) parts.push_back(Elapsed(now - *began_));
  if (next_try_.has_value()) {
    parts.push_back(absl::StrCat("connection lost, next try in ", Elapsed(*next_try_ - now)));
  } else if (last_poll_.has_value()) {
    parts.push_back(absl::StrCat("polled ", Elapsed(now - *last_poll_), " ago"));
  }
  if (jobs_ahead_ > 0) parts.push_back(absl::StrCat(jobs_ahead_, " jobs ahead"));
  if (stalled_) parts.push_back("stalled at the upstream");
  std::string line;
  for (const std::string& part : parts) {
    const std::string longer = line.empty() ? part : absl::StrCat(line, "  ", part);
    // Whole parts only: half a number misleads. The state is shown at any width.
    if (!line.empty() && longer.size() > static_cast<std::size_t>(columns)) break;
    line = longer;
  }
  return line;
}

}  // namespace lumaedit::client::cli
