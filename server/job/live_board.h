// What is known of live jobs in memory only: poll times (protocol.md section 2) and the queue
// ahead.
//
// Written by the engine on the I/O thread, read by any thread. Never durable: after a restart
// everything is due.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/job/job.h"

namespace lumaedit {

struct LiveInfo {
  absl::Time last_poll_time = absl::InfinitePast();  // InfinitePast: none
  absl::Time next_poll_time = absl::InfinitePast();
  int jobs_ahead = 0;  // PENDING: those that will be sent before it
  absl::Time next_attempt_time =
      absl::InfinitePast();  // PENDING: not before; unset: when it is due
  bool stalled = false;
};

class LiveBoard {
 public:
  LiveInfo Get(const std::string& job_id) const {
    MutexLock lock(mutex_);
    const auto it = infos_.find(job_id);
    return it == infos_.end() ? LiveInfo{} : it->second;
  }
  void Set(const std::string& job_id, const LiveInfo& info) {
    MutexLock lock(mutex_);
    infos_[job_id] = info;
  }
  void SetAll(std::vector<std::pair<std::string, LiveInfo>> infos) {
    MutexLock lock(mutex_);
    for (auto& [job_id, info] : infos) infos_[std::move(job_id)] = info;
  }
  void Erase(const std::string& job_id) {
    MutexLock lock(mutex_);
    infos_.erase(job_id);
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::string, LiveInfo> infos_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
