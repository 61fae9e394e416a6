#include "server/job/job_feed.h"

#include <utility>

namespace lumaedit {

JobFeed::JobFeed(std::string caller, std::string job_id, Encoder* encoder)
    : caller_(std::move(caller)), job_id_(std::move(job_id)), encoder_(encoder) {}

std::shared_ptr<const FeedEntry> JobFeed::Next(int cursor) const {
  MutexLock lock(mutex_);
  if (cursor < 0 || static_cast<std::size_t>(cursor) >= entries_.size()) return nullptr;
  return entries_[static_cast<std::size_t>(cursor)];
}

int JobFeed::newest() const {
  MutexLock lock(mutex_);
  return static_cast<int>(entries_.size());
}

bool JobFeed::Append(const Transition& transition) {
  // What is known already is not encoded a second time.
  if (transition.sequence <= newest()) return false;
  return Append(MakeFeedEntry(job_id_, transition, encoder_));
}

bool JobFeed::Append(std::shared_ptr<const FeedEntry> entry) {
  const int sequence = entry->transition.sequence;
  MutexLock lock(mutex_);
  const int next = static_cast<int>(entries_.size()) + 1;
  if (sequence > next) behind_ = true;
  if (sequence != next) return false;
  entries_.push_back(std::move(entry));
  return true;
}

bool JobFeed::TakeBehind() {
  MutexLock lock(mutex_);
  return std::exchange(behind_, false);
}

void JobFeed::MarkBehind() {
  MutexLock lock(mutex_);
  behind_ = true;
}

std::shared_ptr<const FeedEntry> MakeFeedEntry(const std::string& job_id,
                                               const Transition& transition, Encoder* encoder) {
  auto entry = std::make_shared<FeedEntry>();
  entry->transition = transition;
  if (encoder != nullptr) entry->encoded = encoder->Encode(job_id, transition);
  return entry;
}

}  // namespace lumaedit
