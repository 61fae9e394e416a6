// The newest transitions of all of a caller's jobs, in the order of their change numbers, shared by
// all who watch that caller's jobs (protocol.md section 6, "WatchJobs position").
//
// Owned by WatchHub and by the streams that read it. Thread-safe. It holds a window without a gap:
// a reader whose cursor lies before the window reads the store. A reader owns a cursor (the last
// change number it has passed), never a queue.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/base/mutex.h"
#include "server/job/job_feed.h"

namespace lumaedit {

// Which of a caller's jobs are watched. Both empty: all. Not both.
struct JobsFilter {
  std::vector<std::string> job_ids;  // sorted
  std::map<std::string, std::string> labels;

  // `labels`: the job's own, which are fixed at submission.
  bool Matches(const std::string& job_id, const std::map<std::string, std::string>& labels) const;
};

struct CallerEntry {
  std::string job_id;
  std::map<std::string, std::string> labels;
  std::shared_ptr<const FeedEntry> entry;  // the same as in the job's own feed

  std::int64_t change() const { return entry->transition.change; }
};

class CallerFeed {
 public:
  // Transitions in the window. About 1 KB each, while somebody watches the caller.
  static constexpr std::size_t kWindow = 256;

  explicit CallerFeed(std::string caller) : caller_(std::move(caller)) {}

  const std::string& caller() const { return caller_; }

  enum class Found { kEntry, kNone, kInStore };
  struct Step {
    Found found = Found::kNone;
    std::shared_ptr<const CallerEntry> entry;  // with kEntry
  };
  // The change after `cursor`. kNone: there is none yet; kInStore: it lies before the window.
  Step Next(std::int64_t cursor) const;

  // The window begins after this change. No effect when it has begun.
  void Begin(std::int64_t change);
  // The window begins again after this change, if it is newer than what is held.
  void JumpTo(std::int64_t change);
  bool begun() const;

  // The newest change held or passed; 0 before Begin.
  std::int64_t newest() const;

  // As of JobFeed. Before Begin nothing is taken, and `behind` is remembered.
  bool Append(std::shared_ptr<const CallerEntry> entry);
  bool TakeBehind();
  void MarkBehind();

 private:
  const std::string caller_;
  mutable Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool behind_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t newest_ ABSL_GUARDED_BY(mutex_) = 0;
  // Changes newest_ - size + 1 to newest_.
  std::deque<std::shared_ptr<const CallerEntry>> window_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
