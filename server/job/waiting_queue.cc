#include "server/job/waiting_queue.h"

#include <algorithm>

namespace lumaedit {

void WaitingQueue::Sort(const std::string& job_id, Entry& entry) {
  entry.is_due = false;
  entry.is_blocked = blocked_.contains(job_id);
  if (entry.is_blocked) return;
  later_.insert({entry.job.not_before, job_id});
  if (entry.job.start_deadline < absl::InfiniteDuration()) {
    deadlines_.insert({entry.job.start_deadline, job_id});
  }
}

void WaitingQueue::Displace(const std::string& job_id, const Entry& entry) {
  if (entry.is_blocked) return;
  deadlines_.erase({entry.job.start_deadline, job_id});
  if (!entry.is_due) {
    later_.erase({entry.job.not_before, job_id});
    return;
  }
  const auto queue = due_.find(entry.job.caller);
  queue->second.erase({entry.job.create_time, job_id});
  if (queue->second.empty()) due_.erase(queue);
}

void WaitingQueue::Put(const std::string& job_id, const WaitingJob& job) {
  const auto [it, is_new] = jobs_.try_emplace(job_id);
  if (!is_new) Displace(job_id, it->second);
  it->second.job = job;
  Sort(job_id, it->second);
}

void WaitingQueue::Remove(const std::string& job_id) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return;
  Displace(job_id, it->second);
  jobs_.erase(it);
}

void WaitingQueue::Block(const std::string& job_id) {
  const auto it = jobs_.find(job_id);
  if (it != jobs_.end()) Displace(job_id, it->second);
  blocked_.insert(job_id);
  if (it != jobs_.end()) it->second.is_blocked = true;
}

void WaitingQueue::Unblock(const std::string& job_id) {
  if (blocked_.erase(job_id) == 0) return;
  const auto it = jobs_.find(job_id);
  if (it != jobs_.end()) Sort(job_id, it->second);
}

const WaitingJob* WaitingQueue::Find(const std::string& job_id) const {
  const auto it = jobs_.find(job_id);
  return it == jobs_.end() ? nullptr : &it->second.job;
}

void WaitingQueue::MoveDue(absl::Duration now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    const std::string job_id = later_.begin()->second;
    later_.erase(later_.begin());
    Entry& entry = jobs_.at(job_id);
    entry.is_due = true;
    due_[entry.job.caller].insert({entry.job.create_time, job_id});
  }
}

// From the caller after the last one round to that one itself.
std::map<std::string, std::set<WaitingQueue::Place>>::const_iterator WaitingQueue::NextCaller()
    const {
  const auto next = due_.upper_bound(last_caller_);
  return next == due_.end() ? due_.begin() : next;
}

bool WaitingQueue::HasDue(absl::Duration now) {
  MoveDue(now);
  return !due_.empty();
}

std::optional<std::pair<std::string, WaitingJob>> WaitingQueue::Take(absl::Duration now) {
  if (!HasDue(now)) return std::nullopt;
  const auto queue = NextCaller();
  const std::string job_id = queue->second.begin()->second;
  WaitingJob job = jobs_.at(job_id).job;
  last_caller_ = job.caller;
  Remove(job_id);
  return std::make_pair(job_id, std::move(job));
}

absl::Duration WaitingQueue::NextChange() const {
  absl::Duration next = absl::InfiniteDuration();
  if (!later_.empty()) next = std::min(next, later_.begin()->first);
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  return next;
}

std::vector<std::string> WaitingQueue::TakeOverdue(absl::Duration now) {
  std::vector<std::string> overdue;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    overdue.push_back(deadlines_.begin()->second);
    Remove(overdue.back());
  }
  return overdue;
}

void WaitingQueue::ForEachInOrder(
    absl::Duration now,
    const std::function<void(const std::string&, const WaitingJob&, int)>& visit) {
  MoveDue(now);
  int ahead = 0;
  const auto tell = [&](const std::string& job_id) {
    visit(job_id, jobs_.at(job_id).job, ahead++);
  };
  struct Rest {
    std::set<Place>::const_iterator next;
    std::set<Place>::const_iterator end;
  };
  std::vector<Rest> round;
  round.reserve(due_.size());
  auto caller = due_.empty() ? due_.cend() : NextCaller();
  for (std::size_t i = 0; i < due_.size(); ++i) {
    round.push_back({caller->second.begin(), caller->second.end()});
    if (++caller == due_.cend()) caller = due_.cbegin();
  }
  while (!round.empty()) {
    for (Rest& rest : round) tell((rest.next++)->second);
    std::erase_if(round, [](const Rest& rest) { return rest.next == rest.end; });
  }
  for (const auto& [time, job_id] : later_) tell(job_id);
}

}  // namespace lumaedit
