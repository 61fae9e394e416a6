// After the store was restored from a backup: nothing is sent until the upstream's list was
// compared with it (protocol.md section 5). What the backup holds as PENDING may have been sent
// since.
//
// A PENDING job that some record fits is put in doubt as if its answer had been lost: the
// reconciler finds its record, or it is HELD. Dispatch begins after a whole comparison that finds
// no such job and no record since the backup that nobody knows; of such records a person says that
// they were looked at (resume), once a comparison has told about them. Nothing skips a comparison.
//
// It counts from the visibility time after the start on: what was sent just before shows by then.
// Besides the account of the present key it reads those that the backup was sending under in its
// last day. Where no key given reads one of them (--gmi-previous-api-key-file), nothing says of a
// PENDING job of the backup that it was not sent: nothing is sent until there is no such job (a
// caller may cancel it), and then a person says so (resume).
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <set>
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
// later must not hide what is missing, nor what is put in doubt where it was sent. On a store
// thread, before an engine starts on the store.
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
    absl::Duration began;               // uptime
    bool read = false;                  // the list was read far enough back
    bool is_short = false;              // or to an end that comes before the backup
    int in_doubt = 0;                   // PENDING jobs that a record fits
    int strangers = 0;                  // records since the backup that nobody knows
    int of_backup = 0;                  // PENDING jobs of the backup that no record fits
    std::vector<std::string> unread{};  // accounts that no key given reads
  };

  boost::asio::awaitable<Found> Compare();
  // With the list of one account. `open`: attempts that may have been made since the backup; those
  // that a record fits are put in doubt, and leave it. False: not read back to `from`.
  boost::asio::awaitable<bool> CompareWith(std::string account, absl::Time from,
                                           std::vector<Attempt>& open, Found& found);
  // Not the present one.
  std::vector<std::string> OtherAccounts() const;
  // How far back a key that is not learned is read: to a record that says whose it is.
  absl::Time ReadFrom(const std::string& account, absl::Time from) const;
  // In the upstream's time, or before; InfiniteFuture: the backup has no job.
  absl::Time BackupTime() const;
  // Uptime from which on the list shows all that was sent before the start.
  absl::Duration AllShownFrom() const;
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
  std::vector<AccountUse> used_;  // by the backup, in its last day
  absl::Duration started_;        // uptime
  RestoreStatus status_;
  int strangers_told_ = 0;
  bool short_list_told_ = false;
  bool short_list_known_ = false;  // a person has said so
  std::set<std::string> accounts_told_;
  bool acknowledged_ = false;
};

}  // namespace lumaedit
