// All open watch streams: counts them by connection, tells them the time, ends them at a drain.
//
// Owned by GrpcEditService. Thread-safe. One thread looks at every stream once a tick; no stream
// has a timer or a thread of its own. The destructor waits until the last stream has gone, so the
// server must have been shut down before.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/random.h"
#include "server/job/error.h"

namespace lumaedit {

class WatchedStream {
 public:
  virtual ~WatchedStream() = default;
  // `now` is uptime. Both are called with no lock held, and must not block.
  virtual void Tick(absl::Duration now) = 0;
  virtual void End(const absl::Status& status) = 0;
};

class StreamRegistry {
 public:
  struct Settings {
    absl::Duration tick;
    absl::Duration retry_spread;
    int streams_per_connection;
  };
  StreamRegistry(Settings settings, Clock& clock, Random& random);
  ~StreamRegistry();

  // UNAVAILABLE kDraining after Drain; RESOURCE_EXHAUSTED kTooManyWatches at the connection's
  // limit.
  absl::Status Add(const std::shared_ptr<WatchedStream>& stream, const std::string& connection);
  void Remove(const WatchedStream* stream);

  // Ends every stream with UNAVAILABLE kDraining, and refuses new ones from here on.
  void Drain();

  // UNAVAILABLE with `reason` and a random RetryInfo, so that clients do not come back all at once.
  absl::Status ComeBack(ErrorReason reason, std::string_view message);

  std::size_t size() const;

 private:
  struct Entry {
    std::weak_ptr<WatchedStream> stream;
    std::string connection;
  };

  void Run();
  std::vector<std::shared_ptr<WatchedStream>> All() const;

  const Settings settings_;
  Clock& clock_;
  Random& random_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::unordered_map<const WatchedStream*, Entry> streams_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, int> by_connection_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread ticker_;
};

}  // namespace lumaedit
