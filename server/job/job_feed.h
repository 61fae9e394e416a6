// A job's transitions in memory: append-only, shared, each encoded once (design.md section 4).
//
// Owned by WatchHub and by the streams that read it. Thread-safe. A reader owns a cursor (the last
// sequence it has taken), never a queue.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/base/mutex.h"
#include "server/job/encoder.h"
#include "server/job/job.h"
#include "server/job/watcher_table.h"

namespace lumaedit {

struct FeedEntry {
  Transition transition;
  std::shared_ptr<const void> encoded;  // the Encoder's; null without one
};

// `encoder` may be null.
std::shared_ptr<const FeedEntry> MakeFeedEntry(const std::string& job_id,
                                               const Transition& transition, Encoder* encoder);

class JobFeed {
 public:
  JobFeed(std::string caller, std::string job_id, Encoder* encoder);

  const std::string& caller() const { return caller_; }
  const std::string& job_id() const { return job_id_; }

  // The entry after `cursor`, or null when there is none yet.
  std::shared_ptr<const FeedEntry> Next(int cursor) const;

  // The newest sequence held; 0: not loaded yet.
  int newest() const;

  // Takes the transition only when it is the next one. False: it is known already, or one before
  // it is missing and the store must be read (`behind` is then remembered).
  bool Append(std::shared_ptr<const FeedEntry> entry);
  bool Append(const Transition& transition);

  // Was an Append refused because of a gap, or MarkBehind called, since the last TakeBehind?
  bool TakeBehind();
  // The store may have more than was published.
  void MarkBehind();

 private:
  const std::string caller_;
  const std::string job_id_;
  Encoder* const encoder_;
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<const FeedEntry>> entries_
      ABSL_GUARDED_BY(mutex_);  // [0] is sequence 1
  bool behind_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lumaedit
