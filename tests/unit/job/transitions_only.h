// A JobStore for tests of the hub.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/base/mutex.h"
#include "server/job/job_store.h"

namespace lumaedit {

inline Job JobNamed(const std::string& id, const std::string& caller = "caller") {
  Job job;
  job.id = id;
  job.caller = caller;
  return job;
}

// A store that has transitions of one caller's jobs and nothing else. Any thread.
class TransitionsOnly : public JobStore {
 public:
  Transition Commit(const Job& job) {
    MutexLock lock(mutex_);
    JobTransition next;
    next.job_id = job.id;
    next.labels = job.options.labels;
    next.transition.sequence = ++sequences_[job.id];
    next.transition.change = static_cast<std::int64_t>(rows_.size()) + 1;
    rows_.push_back(next);
    return next.transition;
  }
  std::function<void()> before_read;

  absl::StatusOr<std::vector<Transition>> Transitions(const std::string&, const std::string& job_id,
                                                      int after, int limit) override {
    if (before_read) before_read();
    ++reads;
    if (broken) return absl::UnavailableError("the store is away");
    MutexLock lock(mutex_);
    std::vector<Transition> page;
    for (const JobTransition& row : rows_) {
      if (page.size() == static_cast<std::size_t>(limit)) break;
      if (row.job_id == job_id && row.transition.sequence > after) page.push_back(row.transition);
    }
    return page;
  }
  absl::StatusOr<std::vector<JobTransition>> Changes(const std::string&, std::int64_t after,
                                                     int limit) override {
    if (before_changes) before_changes();
    ++change_reads;
    if (broken) return absl::UnavailableError("the store is away");
    if (after < purged) {
      return MakeError(absl::StatusCode::kOutOfRange, ErrorReason::kTokenTooOld, "purged");
    }
    MutexLock lock(mutex_);
    std::vector<JobTransition> page;
    for (std::size_t i = static_cast<std::size_t>(after);
         i < rows_.size() && page.size() < static_cast<std::size_t>(limit); ++i) {
      page.push_back(rows_[i]);
    }
    return page;
  }
  absl::StatusOr<std::int64_t> NewestChange(const std::string&) override {
    if (broken) return absl::UnavailableError("the store is away");
    MutexLock lock(mutex_);
    return static_cast<std::int64_t>(rows_.size());
  }
  absl::StatusOr<std::string> GetSetting(const std::string&) override { return "store-1"; }
  std::function<void()> before_changes;
  std::atomic<int> reads = 0;         // of single jobs
  std::atomic<int> change_reads = 0;  // of all of them
  std::atomic<bool> broken = false;
  std::atomic<std::int64_t> purged = 0;

  absl::StatusOr<InsertResult> Insert(const NewJob&) override { return Not(); }
  absl::StatusOr<Job> FindByRequestId(const std::string&, const std::string&) override {
    return Not();
  }
  absl::StatusOr<Job> Get(const std::string&, const std::string&) override { return Not(); }
  absl::StatusOr<JobPage> List(const std::string&, const JobFilter&,
                               const std::optional<JobCursor>&, int) override {
    return Not();
  }
  absl::StatusOr<Budget> GetBudget(const std::string&, absl::Time) override { return Not(); }
  absl::StatusOr<std::optional<GenerationOrigin>> OriginOfGeneration(const std::string&) override {
    return Not();
  }
  absl::StatusOr<Lease> Acquire(const std::string&) override { return Not(); }
  absl::StatusOr<Lease> Renew(const Lease&) override { return Not(); }
  absl::Status Release(const Lease&) override { return Not(); }
  absl::StatusOr<std::vector<LiveJob>> LiveJobs(const Lease&, const std::string&, int) override {
    return Not();
  }
  absl::StatusOr<Change> Update(const std::string&, const Lease*, DecideFunction) override {
    return Not();
  }
  absl::StatusOr<Change> Seal(const Lease&, const Attempt&) override { return Not(); }
  absl::Status RecordFact(const std::string&, int, const Fact&, bool) override { return Not(); }
  absl::StatusOr<JobView> View(const std::string&) override { return Not(); }
  absl::StatusOr<std::vector<UnboundAttempt>> UnboundAttempts(const std::string&) override {
    return Not();
  }
  absl::StatusOr<std::vector<OwnedId>> OwnedIds(const std::vector<std::string>&) override {
    return Not();
  }
  absl::StatusOr<bool> IsBlocked(const std::string&, const std::string&) override { return Not(); }
  absl::StatusOr<std::vector<LiveJob>> ExpiredJobs(absl::Time, const std::string&, int) override {
    return Not();
  }
  absl::StatusOr<std::vector<AccountName>> AccountNames() override { return Not(); }
  absl::StatusOr<std::vector<AccountUse>> RecentAccounts(absl::Duration) override { return Not(); }
  absl::Status MoveAccount(const std::string&, const std::string&) override { return Not(); }
  absl::StatusOr<int> Purge(absl::Time, absl::Time, int) override { return Not(); }
  absl::StatusOr<absl::Time> NewestStateTime() override { return Not(); }
  absl::StatusOr<StoreOverview> Overview(int) override { return Not(); }
  absl::Status PutSetting(const std::string&, const std::string&) override { return Not(); }

 private:
  static absl::Status Not() { return absl::UnimplementedError("only transitions"); }

  Mutex mutex_;
  std::vector<JobTransition> rows_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> sequences_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
