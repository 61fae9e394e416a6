// All open watches (streams, and calls that wait), or all uploads: counts them by connection and by
// caller, tells them the time, ends them at a drain.
//
// Owned by GrpcEditService, one for each kind. Thread-safe. One thread looks at every stream once a
// tick; no stream has a timer or a thread of its own. The destructor waits until the last stream
// has gone, so the server must have been shut down before.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/random.h"
#include "server/job/error.h"

namespace lumaedit {

// How a stream came to its end.
enum class StreamEnd {
  kFinal,     // with the last transition: OK
  kRotated,   // at its age
  kDraining,  // this process stops
  kOverloaded,
  kStalled,  // its reader did not take what was written
  kLeft,     // its client went or cancelled
  kFailed,   // anything else
};
inline constexpr int kStreamEnds = 7;

class WatchedStream {
 public:
  virtual ~WatchedStream() = default;
  // `now` is uptime. Both are called with no lock held, and must not block.
  virtual void Tick(absl::Duration now) = 0;
  virtual void End(const absl::Status& status) = 0;
};

class StreamRegistry {
 public:
  // What streams are counted by.
  struct Limit {
    int most;
    // For the text.
    std::string_view owner;
    std::string_view advice;
  };
  struct Settings {
    absl::Duration tick;
    absl::Duration retry_spread;
    int most_streams;           // in all
    std::vector<Limit> limits;  // of one owner
    // For the texts, and the reason at the limit of one owner.
    std::string_view kind = "watches";
    ErrorReason at_limit = ErrorReason::kTooManyWatches;
  };
  StreamRegistry(Settings settings, Clock& clock, Random& random);
  ~StreamRegistry();

  // `owners` has a name for each of the limits. UNAVAILABLE kDraining after Drain, kOverloaded at
  // the limit over all; RESOURCE_EXHAUSTED with `at_limit` at that of one owner.
  absl::Status Add(const std::shared_ptr<WatchedStream>& stream,
                   const std::vector<std::string>& owners);
  void Remove(const WatchedStream* stream);

  // Ends every stream with UNAVAILABLE kDraining, and refuses new ones from here on.
  void Drain();

  // UNAVAILABLE with `reason` and a random RetryInfo, so that clients do not come back all at once.
  absl::Status ComeBack(ErrorReason reason, std::string_view message);

  // The age of one stream: `usual`, give or take a tenth, so that streams that were opened together
  // do not all come back together.
  absl::Duration SpreadAge(absl::Duration usual);

  // What a watch ends with when it was refused or has failed: a full store queue and a stop are
  // turned into what clients resume after.
  absl::Status EndOf(const absl::Status& status);

  // Once for each stream, when it has ended.
  void CountEnd(StreamEnd how) { ends_[static_cast<std::size_t>(how)].fetch_add(1); }
  std::int64_t ended(StreamEnd how) const { return ends_[static_cast<std::size_t>(how)].load(); }

  std::size_t size() const;

 private:
  using Counts = std::unordered_map<std::string, int>;
  struct Entry {
    std::weak_ptr<WatchedStream> stream;
    absl::InlinedVector<Counts::pointer, 2> owners;  // in counts_, one of each
  };

  std::string TooMany() const;
  absl::Status AtLimit(const Limit& limit) const;
  void Run();
  std::vector<std::shared_ptr<WatchedStream>> All() const;

  const Settings settings_;
  Clock& clock_;
  Random& random_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::unordered_map<const WatchedStream*, Entry> streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<Counts> counts_ ABSL_GUARDED_BY(mutex_);  // one for each limit
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::array<std::atomic<std::int64_t>, kStreamEnds> ends_ = {};
  std::thread ticker_;
};

}  // namespace lumaedit
