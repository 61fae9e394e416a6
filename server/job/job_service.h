// What callers ask of jobs: submit, get, list, cancel. Everything here is store work.
//
// Owned by `app`. Each method may be called from any thread, returns at once, and gives its reply
// on a store thread (a probe thread, where an inline source is refused). When the store's queue is
// full the reply is RESOURCE_EXHAUSTED kOverloaded.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/base/reply.h"
#include "server/base/worker.h"
#include "server/job/budget.h"
#include "server/job/job_snapshot.h"
#include "server/job/job_store.h"
#include "server/job/live_board.h"
#include "server/job/retention_settings.h"
#include "server/job/source_measurer.h"
#include "server/job/source_resolver.h"
#include "server/job/source_store.h"
#include "server/job/validation.h"
#include "server/job/watch_hub.h"

namespace lumaedit {

struct SnapshotPage {
  std::vector<JobSnapshot> jobs;
  bool has_more = false;
  // The position of a watch that misses nothing that is not in this page (protocol.md section 6).
  std::string store_id;
  std::int64_t change = 0;
};

// A job, and transitions of it, none of which the job does not show.
struct JobHistory {
  JobSnapshot job;
  std::vector<Transition> transitions;
};

struct CancelAnswer {
  CancelResult result = CancelResult::kNone;
  JobSnapshot job;
};

struct WatchStart {
  JobSnapshot job;  // as read after the watcher was registered
  std::shared_ptr<JobFeed> feed;
};

// What the engine must hear of; called on a store thread, after the commit.
class JobListener {
 public:
  virtual ~JobListener() = default;
  virtual void OnSubmitted(const Job& job) = 0;
  // A caller changed the job: cancelled it, asked to cancel it, resolved it.
  virtual void OnChanged(const Job& job) = 0;
};

class JobService {
 public:
  struct Deps {
    JobStore& store;
    SourceStore& sources;
    WatchHub& hub;
    LiveBoard& board;
    Worker& store_worker;
    SourceMeasurer& measurer;
    Clock& clock;
    Random& random;
    Log& log;
  };
  // `source_kept`: how long a source stays at least from its use here.
  explicit JobService(Deps deps, BudgetSettings budget = {}, RetentionSettings retention = {},
                      absl::Duration source_kept = absl::Hours(24));

  // Set once, before the first call.
  void SetListener(JobListener* listener) { listener_ = listener; }

  // Durable when it answers OK (rule 2). The request was validated before. A known request_id
  // answers the job as it is now, also while draining; ALREADY_EXISTS kRequestIdReused names the
  // fields that differ. An inline source is measured first, apart from the store's threads. A reply
  // that nobody waits for any more does not undo the submission.
  void Submit(SubmitRequest request, Reply<JobSnapshot> reply);

  void Get(std::string caller, std::string job_id, Reply<JobSnapshot> reply);

  void List(std::string caller, JobFilter filter, std::optional<JobCursor> after, int limit,
            Reply<SnapshotPage> reply);

  // Says what happens to the money (protocol.md section 5). `actor` is recorded.
  void Cancel(std::string caller, std::string job_id, std::string actor, Reply<CancelAnswer> reply);

  // Registers the watcher and answers with the feed loaded. OUT_OF_RANGE kSequenceOutOfRange
  // (metadata newest_sequence) when `after_sequence` lies beyond the newest durable one.
  void Watch(std::string caller, std::string job_id, int after_sequence,
             std::weak_ptr<Watcher> watcher, Reply<WatchStart> reply);

  // The job as it is, and its transitions after `after_sequence`, at most `limit`.
  void History(std::string caller, std::string job_id, int after_sequence, int limit,
               Reply<JobHistory> reply);

  // New submissions are refused with UNAVAILABLE kDraining; all else goes on.
  void Drain() { draining_ = true; }

  LiveInfo Live(const std::string& job_id) const { return deps_.board.Get(job_id); }

 private:
  using Measured = std::optional<absl::Duration>;  // of an inline source

  void SubmitInline(SubmitRequest request, Reply<JobSnapshot> reply);
  // The answer to a repeat, or to what is refused while draining; unset: the request is new.
  std::optional<absl::StatusOr<JobSnapshot>> AnswerKnown(const SubmitRequest& request);
  absl::StatusOr<JobSnapshot> SubmitNow(const SubmitRequest& request, const Measured& measured);
  absl::StatusOr<JobSnapshot> AnswerRepeat(const Job& job, const SubmitRequest& request,
                                           const Edit& edit);
  void RefreshAfter(const absl::Status& status, const std::string& caller);
  absl::StatusOr<Edit> StoreInline(const SubmitRequest& request, const std::string& job_id,
                                   absl::Duration length);
  absl::Status KeepSource(const std::string& caller, const ResolvedSource& resolved);
  absl::StatusOr<CancelAnswer> CancelNow(const std::string& caller, const std::string& job_id,
                                         const std::string& actor);
  JobSnapshot Snapshot(Job job) const;

  template <typename T, typename Work>
  void Run(Reply<T> reply, Work work);

  const Deps deps_;
  const BudgetSettings budget_;
  const RetentionSettings retention_;
  const absl::Duration source_kept_;
  JobListener* listener_ = nullptr;
  std::atomic<bool> draining_ = false;
};

}  // namespace lumaedit
