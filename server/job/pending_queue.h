// The PENDING jobs in the order in which they will be sent: round robin over callers, first in
// first out within one (protocol.md section 3).
//
// Owned by the Dispatcher, which changes it on the I/O thread; Ahead may be called from any thread.
// Times are uptime.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace lumaedit {

struct PendingJob {
  std::string id;
  std::string caller;
  absl::Time create_time;
  absl::Duration not_before;
  absl::Duration start_deadline = absl::InfiniteDuration();
  int unsent_failures = 0;
};

class PendingQueue {
 public:
  // Adds, or replaces what is known of the job.
  void Put(const PendingJob& job);
  void Remove(const std::string& job_id);
  std::optional<PendingJob> Find(const std::string& job_id) const;

  // Takes out the next job that may go at `now`.
  std::optional<PendingJob> TakeReady(absl::Duration now);

  // Takes out the jobs whose start_deadline has come.
  std::vector<PendingJob> TakeOverdue(absl::Duration now);

  // When something becomes ready or overdue; infinite: the queue is empty.
  absl::Duration NextEvent() const;

  // How many jobs go before this one if nothing changes; 0 for a job that is not queued.
  int Ahead(const std::string& job_id) const;

  std::size_t size() const;

 private:
  using Place = std::pair<absl::Time, std::string>;  // create_time, job id

  void RemoveLocked(const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<std::string, PendingJob> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::set<Place>> queues_ ABSL_GUARDED_BY(mutex_);  // by caller; none empty
  // (time, id): not_before and start_deadline of every job.
  std::set<std::pair<absl::Duration, std::string>> starts_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<absl::Duration, std::string>> deadlines_ ABSL_GUARDED_BY(mutex_);
  std::string last_caller_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
