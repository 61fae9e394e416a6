#include "server/job/pending_queue.h"

#include <algorithm>
#include <iterator>

namespace lumaedit {

void PendingQueue::Put(const PendingJob& job) {
  MutexLock lock(mutex_);
  RemoveLocked(job.id);
  jobs_[job.id] = job;
  queues_[job.caller].insert({job.create_time, job.id});
  starts_.insert({job.not_before, job.id});
  if (job.start_deadline != absl::InfiniteDuration()) {
    deadlines_.insert({job.start_deadline, job.id});
  }
}

void PendingQueue::Remove(const std::string& job_id) {
  MutexLock lock(mutex_);
  RemoveLocked(job_id);
}

void PendingQueue::RemoveLocked(const std::string& job_id) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return;
  const auto queue = queues_.find(it->second.caller);
  queue->second.erase({it->second.create_time, job_id});
  if (queue->second.empty()) queues_.erase(queue);
  starts_.erase({it->second.not_before, job_id});
  deadlines_.erase({it->second.start_deadline, job_id});
  jobs_.erase(it);
}

std::optional<PendingJob> PendingQueue::Find(const std::string& job_id) const {
  MutexLock lock(mutex_);
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return std::nullopt;
  return it->second;
}

std::optional<PendingJob> PendingQueue::TakeReady(absl::Duration now) {
  MutexLock lock(mutex_);
  // Nothing is ready: no queue need be walked.
  if (starts_.empty() || starts_.begin()->first > now) return std::nullopt;
  // From the caller after the last one round to that one itself.
  auto queue = queues_.upper_bound(last_caller_);
  for (std::size_t i = 0; i < queues_.size(); ++i, ++queue) {
    if (queue == queues_.end()) queue = queues_.begin();
    for (const auto& [time, job_id] : queue->second) {
      if (jobs_.at(job_id).not_before > now) continue;
      PendingJob job = jobs_.at(job_id);
      last_caller_ = job.caller;
      RemoveLocked(job.id);
      return job;
    }
  }
  return std::nullopt;
}

std::vector<PendingJob> PendingQueue::TakeOverdue(absl::Duration now) {
  MutexLock lock(mutex_);
  std::vector<PendingJob> overdue;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    overdue.push_back(jobs_.at(deadlines_.begin()->second));
    RemoveLocked(overdue.back().id);
  }
  return overdue;
}

absl::Duration PendingQueue::NextEvent() const {
  MutexLock lock(mutex_);
  absl::Duration next = absl::InfiniteDuration();
  if (!starts_.empty()) next = std::min(next, starts_.begin()->first);
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  return next;
}

int PendingQueue::Ahead(const std::string& job_id) const {
  MutexLock lock(mutex_);
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return 0;
  const std::string& caller = it->second.caller;
  const std::set<Place>& own = queues_.at(caller);
  const auto rank = static_cast<std::size_t>(
      std::distance(own.begin(), own.find({it->second.create_time, job_id})));
  // In `rank` full rounds each caller sends one job a round; in the round of the job itself the
  // callers whose turn comes before its own send one more.
  const auto turn = [this](const std::string& name) {
    return std::make_pair(name <= last_caller_, name);
  };
  std::size_t ahead = rank;
  for (const auto& [name, queue] : queues_) {
    if (name == caller) continue;
    ahead += std::min(queue.size(), rank + (turn(name) < turn(caller) ? 1 : 0));
  }
  return static_cast<int>(ahead);
}

std::size_t PendingQueue::size() const {
  MutexLock lock(mutex_);
  return jobs_.size();
}

}  // namespace lumaedit
