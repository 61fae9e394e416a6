// Who watches which job: brings committed transitions to the streams (design.md section 4).
//
// Owned by `app`. Thread-safe. Publishing never blocks on a reader: it appends to the feed and lets
// the fan-out worker wake the watchers, which are held weakly.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/worker.h"
#include "server/job/job_feed.h"
#include "server/job/job_store.h"

namespace lumaedit {

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
  };
  explicit WatchHub(Deps deps);
  ~WatchHub();

  // Registers `watcher` first and loads the feed from the store then, so that replay cannot miss.
  // Store threads only. The caller has made sure that the job exists and is this caller's.
  absl::StatusOr<std::shared_ptr<JobFeed>> Open(const std::string& caller,
                                                const std::string& job_id,
                                                std::weak_ptr<Watcher> watcher);

  // Forgets the watcher; any thread.
  void Close(const JobFeed& feed, const Watcher* watcher);

  // After the commit, never before; any thread. A job without a feed costs a look-up.
  void Publish(const std::string& job_id, const Transition& transition);

  // Drops feeds that have been idle for kIdleFeed; called now and then by the engine.
  void Sweep();

  // Wakes every watcher of every feed: at a drain.
  void WakeAll();

  std::size_t watcher_count() const;
  std::size_t feed_count() const;

 private:
  struct Slot;

  absl::Status Load(JobFeed& feed);
  void WakeWatchersOf(const std::string& job_id);

  const Deps deps_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Slot>> slots_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
