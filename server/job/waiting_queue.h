// The PENDING jobs and their order: round robin over callers, first in first out within one
// (protocol.md section 3). Every operation takes logarithmic time, however many jobs wait.
//
// Owned by the Dispatcher; I/O thread. Times are uptime, but for create_time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace lumaedit {

struct WaitingJob {
  std::string caller;
  absl::Time create_time;
  absl::Duration not_before = -absl::InfiniteDuration();
  absl::Duration start_deadline = absl::InfiniteDuration();
  int unsent_failures = 0;
};

class WaitingQueue {
 public:
  // Adds it, or changes what is known of it. One that is blocked stays so.
  void Put(const std::string& job_id, const WaitingJob& job);
  void Remove(const std::string& job_id);
  // While a POST of it is under way a job is not taken, though it may be put.
  void Block(const std::string& job_id);
  void Unblock(const std::string& job_id);

  const WaitingJob* Find(const std::string& job_id) const;
  std::size_t size() const { return jobs_.size(); }

  // The next one, taken out; unset: none is due.
  std::optional<std::pair<std::string, WaitingJob>> Take(absl::Duration now);
  bool HasDue(absl::Duration now);

  // When the next job becomes due or overdue; InfiniteDuration: none will.
  absl::Duration NextChange() const;
  // Those whose start deadline has passed, taken out.
  std::vector<std::string> TakeOverdue(absl::Duration now);

  // Calls `visit` with each job and how many jobs will be sent before it: those that are due in
  // their turns, then the others by their time.
  void ForEachInOrder(absl::Duration now,
                      const std::function<void(const std::string& job_id, const WaitingJob& job,
                                               int jobs_ahead)>& visit);

 private:
  using Place = std::pair<absl::Time, std::string>;           // create_time, job id
  using TimedPlace = std::pair<absl::Duration, std::string>;  // uptime, job id

  struct Entry {
    WaitingJob job;
    bool is_due = false;
    bool is_blocked = false;
  };

  void Sort(const std::string& job_id, Entry& entry);
  void Displace(const std::string& job_id, const Entry& entry);
  void MoveDue(absl::Duration now);
  std::map<std::string, std::set<Place>>::const_iterator NextCaller() const;

  std::unordered_map<std::string, Entry> jobs_;
  std::set<std::string> blocked_;               // may hold jobs that are not here
  std::map<std::string, std::set<Place>> due_;  // by caller; no empty ones
  std::set<TimedPlace> later_;                  // by not_before
  std::set<TimedPlace> deadlines_;
  std::string last_caller_;
};

}  // namespace lumaedit
