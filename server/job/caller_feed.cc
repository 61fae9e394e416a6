#include "server/job/caller_feed.h"

#include <algorithm>
#include <utility>

namespace lumaedit {

bool JobsFilter::Matches(const std::string& job_id,
                         const std::map<std::string, std::string>& of_job) const {
  if (!job_ids.empty()) return std::binary_search(job_ids.begin(), job_ids.end(), job_id);
  return std::all_of(labels.begin(), labels.end(), [&](const auto& wanted) {
    const auto found = of_job.find(wanted.first);
    return found != of_job.end() && found->second == wanted.second;
  });
}

CallerFeed::Step CallerFeed::Next(std::int64_t cursor) const {
  MutexLock lock(mutex_);
  if (!begun_ || cursor >= newest_) return {Found::kNone, nullptr};
  const std::int64_t before = newest_ - static_cast<std::int64_t>(window_.size());
  if (cursor < before) return {Found::kInStore, nullptr};
  return {Found::kEntry, window_[static_cast<std::size_t>(cursor - before)]};
}

void CallerFeed::Begin(std::int64_t change) {
  MutexLock lock(mutex_);
  if (begun_) return;
  begun_ = true;
  newest_ = change;
}

void CallerFeed::JumpTo(std::int64_t change) {
  std::deque<std::shared_ptr<const CallerEntry>> old;  // destroyed after the lock
  MutexLock lock(mutex_);
  if (change <= newest_) return;
  newest_ = change;
  old.swap(window_);
}

bool CallerFeed::begun() const {
  MutexLock lock(mutex_);
  return begun_;
}

std::int64_t CallerFeed::newest() const {
  MutexLock lock(mutex_);
  return newest_;
}

bool CallerFeed::Append(std::shared_ptr<const CallerEntry> entry) {
  std::shared_ptr<const CallerEntry> oldest;  // destroyed after the lock
  MutexLock lock(mutex_);
  const std::int64_t change = entry->change();
  if (!begun_ || change > newest_ + 1) behind_ = true;
  if (!begun_ || change != newest_ + 1) return false;
  newest_ = change;
  window_.push_back(std::move(entry));
  if (window_.size() > kWindow) {
    oldest = std::move(window_.front());
    window_.pop_front();
  }
  return true;
}

bool CallerFeed::TakeBehind() {
  MutexLock lock(mutex_);
  return std::exchange(behind_, false);
}

void CallerFeed::MarkBehind() {
  MutexLock lock(mutex_);
  behind_ = true;
}

}  // namespace lumaedit
