#include "server/job/poll_schedule.h"

#include <algorithm>
#include <vector>

namespace lumaedit {

bool PollSchedule::Add(const Job& job, absl::Duration now, absl::Duration age, bool at_once) {
  auto& slot = jobs_[job.id];
  const bool is_new = slot == nullptr;
  if (is_new) slot = std::make_unique<PolledJob>();
  PolledJob& polled = *slot;
  polled.job = job;
  polled.job.edit = Edit{};
  if (!is_new) return false;
  by_record_[job.upstream_id] = &polled;
  polled.since = now - age;
  polled.deadline = now + settings_.job_deadline - age;
  polled.interval = at_once ? IntervalAt(age) : settings_.first;
  polled.due = at_once ? now : now + settings_.first;
  waiting_.insert({polled.due, job.id});
  return true;
}

bool PollSchedule::Remove(const std::string& job_id) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return false;
  waiting_.erase({it->second->due, job_id});
  aside_.erase(job_id);
  const auto record = by_record_.find(it->second->job.upstream_id);
  if (record != by_record_.end() && record->second == it->second.get()) by_record_.erase(record);
  jobs_.erase(it);
  return true;
}

PolledJob* PollSchedule::Find(const std::string& job_id) {
  const auto it = jobs_.find(job_id);
  return it == jobs_.end() ? nullptr : it->second.get();
}

PolledJob* PollSchedule::FindRecord(const std::string& upstream_id) {
  const auto it = by_record_.find(upstream_id);
  return it == by_record_.end() ? nullptr : it->second;
}

PolledJob* PollSchedule::First() {
  return waiting_.empty() ? nullptr : Find(waiting_.begin()->second);
}

void PollSchedule::Move(PolledJob& job, PollPhase to) {
  waiting_.erase({job.due, job.job.id});
  aside_.erase(job.job.id);
  job.phase = to;
  if (to == PollPhase::kWaiting) waiting_.insert({job.due, job.job.id});
  if (to == PollPhase::kAside) aside_.insert(job.job.id);
}

void PollSchedule::PutAllBack() {
  const std::vector<std::string> all(aside_.begin(), aside_.end());
  for (const std::string& job_id : all) PutBack(*Find(job_id));
}

void PollSchedule::AskAgain(PolledJob& job, absl::Duration now, absl::Duration at_least,
                            double swing) {
  waiting_.erase({job.due, job.job.id});
  // Who was asked before its time goes on at the pace of its age.
  const bool in_time = now >= job.due - 2 * settings_.jitter * job.interval;
  if (in_time) job.interval = std::min(job.interval * settings_.growth, settings_.most);
  if (now - job.since >= settings_.old_age) job.interval = settings_.old_interval;
  const absl::Duration wait = std::max(job.interval * (1 + settings_.jitter * swing), at_least);
  // Never long past the deadline: it is this poll that finds it.
  job.due = std::min(now + wait, std::max(job.deadline, now + settings_.first));
  Move(job, PollPhase::kWaiting);
}

absl::Duration PollSchedule::IntervalAt(absl::Duration age) const {
  if (age >= settings_.old_age) return settings_.old_interval;
  absl::Duration interval = settings_.first;
  for (absl::Duration at = interval; at < age && interval < settings_.most;) {
    interval = std::min(interval * settings_.growth, settings_.most);
    at += interval;
  }
  return interval;
}

}  // namespace lumaedit
