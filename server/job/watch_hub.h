// Who watches which jobs: brings committed transitions to the streams (design.md section 4).
//
// Owned by `app`. Thread-safe. Publishing never blocks on a reader: it appends to the feeds and
// lets the fan-out worker wake the watchers, which are held weakly. Every watched job has a
// JobFeed, every caller who watches anything a CallerFeed; a transition is encoded once for both.
// Feeds that nobody reads leave memory, and are read from the store again when somebody comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/reply.h"
#include "server/base/worker.h"
#include "server/base/worker_lane.h"
#include "server/job/caller_feed.h"
#include "server/job/job_feed.h"
#include "server/job/job_metrics.h"
#include "server/job/job_store.h"
#include "server/job/watcher_table.h"

namespace lumaedit {

// A place among a caller's changes, in one store (protocol.md section 6).
struct StorePosition {
  std::string store_id;
  std::int64_t change = 0;
};

struct CallerWatchStart {
  StorePosition from;       // where to begin: as asked, or the newest
  std::int64_t newest = 0;  // the caller's newest change, read after the watcher was registered
  std::shared_ptr<CallerFeed> feed;
};

// A transition as the store has it, ready for a stream.
struct ReplayEntry {
  std::int64_t change = 0;
  std::string job_id;
  std::shared_ptr<const void> encoded;
};

struct ReplayPage {
  std::vector<ReplayEntry> entries;  // those that match
  std::int64_t end = 0;              // the last change that was looked at
};

class WatchHub {
 public:
  // Feeds that nobody reads leave memory after this long (protocol.md section 6).
  static constexpr absl::Duration kIdleFeed = absl::Seconds(60);

  struct Deps {
    JobStore& store;
    Worker& store_worker;
    Worker& fan_out_worker;
    Clock& clock;
    Log& log;
    Encoder* encoder = nullptr;  // may be null in tests
    JobMetrics& metrics = NoMetrics();
  };
  explicit WatchHub(Deps deps);
  ~WatchHub();

  // --- One job ----------------------------------------------------------------------------------
  // Registers `watcher` first and loads the feed from the store then, so that replay cannot miss.
  // Store threads only. The caller has made sure that the job exists and is this caller's.
  absl::StatusOr<std::shared_ptr<JobFeed>> Open(const std::string& caller,
                                                const std::string& job_id,
                                                std::weak_ptr<Watcher> watcher);

  // Forgets the watcher; any thread.
  void Close(const JobFeed& feed, const Watcher* watcher);

  // --- All jobs of a caller ---------------------------------------------------------------------
  // Registers `watcher` and answers on a store thread. `from` unset: from now on.
  // FAILED_PRECONDITION kTokenFromOtherStore: another store's position, or one beyond the newest
  // change, which only a store can give that has lost it since. OUT_OF_RANGE kTokenTooOld.
  void WatchCaller(std::string caller, std::optional<StorePosition> from,
                   std::weak_ptr<Watcher> watcher, Reply<CallerWatchStart> reply);

  // A page of what lies before the feed's window: at most 100 changes, and not many bytes, since a
  // reader that does not read holds it. Answered on a store thread, of which replays never hold
  // more than two. OUT_OF_RANGE kTokenTooOld.
  void ReadChanges(std::string caller, std::int64_t after, std::shared_ptr<const JobsFilter> filter,
                   Reply<ReplayPage> reply);

  void Close(const CallerFeed& feed, const Watcher* watcher);

  // --- News -------------------------------------------------------------------------------------
  // After the commit, never before; any thread. A job that nobody watches costs a look-up.
  void Publish(const Job& job, const Transition& transition);

  // The store may have more than was published: after a commit whose answer was lost, or when
  // another process wrote. Reads the caller's changes and wakes whom they concern; again at the
  // next Sweep while the store cannot be read. Any thread.
  void Refresh(const std::string& caller);

  // Callers with a feed, and the newest change known of each.
  std::vector<std::pair<std::string, std::int64_t>> WatchedCallers() const;

  // Drops feeds that have been idle for kIdleFeed; called now and then by the engine.
  void Sweep();

  std::size_t watcher_count() const;
  std::size_t feed_count() const;  // of jobs

 private:
  // What both kinds of feeds share; under mutex_.
  struct Audience {
    WatcherTable watchers;
    absl::Duration idle_since = absl::InfiniteDuration();  // uptime; infinite: somebody reads
    bool wake_queued = false;
    bool load_queued = false;
  };
  struct CallerSlot;
  struct JobSlot;

  std::shared_ptr<CallerSlot> SlotOf(const std::string& caller)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<JobSlot> FindJob(const std::string& job_id) const;
  std::shared_ptr<CallerSlot> FindCaller(const std::string& caller) const;
  bool IsWatched(const Audience& audience) const;
  void Leave(Audience& audience, const Watcher* watcher) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SweepAudience(Audience& audience, bool held, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::StatusOr<CallerWatchStart> WatchCallerNow(const std::string& caller,
                                                  const std::optional<StorePosition>& from,
                                                  const std::weak_ptr<Watcher>& watcher);
  absl::StatusOr<ReplayPage> ReadChangesNow(const std::string& caller, std::int64_t after,
                                            const JobsFilter& filter);

  absl::Status Load(JobFeed& feed);
  absl::Status LoadCaller(const std::shared_ptr<CallerSlot>& slot);
  void LoadJobsOf(const std::shared_ptr<CallerSlot>& slot);
  void Offer(const std::shared_ptr<JobSlot>& slot, const std::shared_ptr<const FeedEntry>& entry);
  void PostLoad(const std::shared_ptr<JobSlot>& slot);
  void PostLoad(const std::shared_ptr<CallerSlot>& slot);
  void LoadFailed(const absl::Status& status, const std::string& job_id);

  void Wake(const std::shared_ptr<Audience>& audience);
  void WakeBatch(const std::shared_ptr<Audience>& audience, std::size_t first);

  const Deps deps_;
  WorkerLane replays_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<JobSlot>> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<CallerSlot>> callers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
