// After the store was restored from a backup: nothing is sent until the upstream's list was
// compared with it (protocol.md section 5). What the backup holds as PENDING may have been sent
// since.
//
// A PENDING job that some record fits is put in doubt as if its answer had been lost: the
// reconciler finds its record, or it is HELD. Dispatch begins after a whole comparison that finds
// no such job and no record since the backup that nobody knows; of such records a person says that
// they were looked at (resume), once a comparison has told about them. Nothing skips a comparison.
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/signal.h"
#include "server/job/engine_context.h"
#include "server/job/engine_status.h"
#include "server/job/reconciler.h"

namespace lumaedit {

// Marks a store that was restored from a backup, with the time of the backup: what is submitted
// later must not hide what is missing. On a store thread, before an engine starts on the store.
absl::Status MarkRestored(JobStore& store);

class RestoreCheck {
 public:
  // `on_finished`: dispatch may go on.
  RestoreCheck(EngineContext& context, Reconciler& reconciler, std::function<void()> on_finished);

  // Is the store a restored one that was not compared yet? At start, before anything is sent.
  boost::asio::awaitable<absl::Status> Load();

  // Until the comparison is over or the engine drains.
  boost::asio::awaitable<void> Run();
  void Wake() { wake_.Notify(); }

  // A person has looked at what the last comparison told. It is compared once more, at once.
  void Acknowledge();

  RestoreStatus Status() const { return status_; }

 private:
  struct Found {
    int in_doubt = 0;   // PENDING jobs that a record fits
    int strangers = 0;  // records since the backup that nobody knows
    bool read = false;  // the list was read far enough back
  };

  boost::asio::awaitable<Found> Compare();
  RestoreStatus Judge(const Found& found) const;
  void Tell(const Found& found);
  boost::asio::awaitable<absl::Status> Finish();
  boost::asio::awaitable<absl::StatusOr<std::vector<JobView>>> PendingJobs();
  // What an attempt would look like that was made after the backup.
  Attempt AttemptSince(const Job& job) const;
  boost::asio::awaitable<void> PutInDoubt(Attempt attempt);

  EngineContext& context_;
  Reconciler& reconciler_;
  const std::function<void()> on_finished_;
  Signal wake_;
  // When the last job of the backup changed its state; unset: the backup has no job.
  std::optional<absl::Time> backup_time_;
  RestoreStatus status_;
  int strangers_told_ = 0;
  bool acknowledged_ = false;
};

}  // namespace lumaedit
