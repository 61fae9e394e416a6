// The running jobs and when each is due to be asked about (protocol.md section 7): 2 s after its
// acceptance, x 1.3 to 10 s, +- 10 %, 30 s after half an hour. Who is asked more often, since a
// page of the list shows it too, is not asked less often later.
//
// Owned by Poller; I/O thread. Pure: the time is given. Durations are of uptime.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/time/time.h"
#include "server/job/engine_settings.h"
#include "server/job/job.h"

namespace lumaedit {

// Where a job is: waiting until it is due, being asked about, or put aside until the walk over the
// list has found it or has ended.
enum class PollPhase { kWaiting, kAsked, kAside };

struct PolledJob {
  Job job;  // without its edit: what an observation is judged against
  PollPhase phase = PollPhase::kWaiting;
  absl::Duration interval;
  absl::Duration due;
  absl::Duration since;  // when it was accepted
  absl::Duration deadline;
  absl::Duration changed;                        // when the upstream last changed its word
  absl::Time last_poll = absl::InfinitePast();   // when the last answer came
  absl::Time last_asked = absl::InfinitePast();  // when that was asked for
  int passed_over = 0;  // so many pages in a row did not show it although they should have
};

class PollSchedule {
 public:
  explicit PollSchedule(const PollSettings& settings) : settings_(settings) {}

  // A job that runs; a known one is updated and keeps its pace. `age`: since its acceptance.
  // `at_once`: due now rather than after an interval. True: it is new.
  bool Add(const Job& job, absl::Duration now, absl::Duration age, bool at_once);
  // False: not known.
  bool Remove(const std::string& job_id);

  PolledJob* Find(const std::string& job_id);
  PolledJob* FindRecord(const std::string& upstream_id);
  // The one that is due first; null: none waits.
  PolledJob* First();

  void Ask(PolledJob& job) { Move(job, PollPhase::kAsked); }
  void PutAside(PolledJob& job) { Move(job, PollPhase::kAside); }
  // Waits again, and is due as it was.
  void PutBack(PolledJob& job) { Move(job, PollPhase::kWaiting); }
  void PutAllBack();
  // It was asked about: when next. `swing`: from -1 to 1.
  void AskAgain(PolledJob& job, absl::Duration now, absl::Duration at_least, double swing);

  // Asking it now spares a request soon.
  static bool IsNearlyDue(const PolledJob& job, absl::Duration now) {
    return job.phase != PollPhase::kAsked && job.due - now <= job.interval / 2;
  }

  bool has_aside() const { return !aside_.empty(); }
  std::size_t size() const { return jobs_.size(); }

 private:
  void Move(PolledJob& job, PollPhase to);
  absl::Duration IntervalAt(absl::Duration age) const;

  const PollSettings settings_;
  std::unordered_map<std::string, std::unique_ptr<PolledJob>> jobs_;
  std::unordered_map<std::string, PolledJob*> by_record_;
  std::set<std::pair<absl::Duration, std::string>> waiting_;
  std::set<std::string> aside_;
};

}  // namespace lumaedit
