#include "server/store/sqlite_job_store.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "server/store/account_rows.h"
#include "server/store/file_lock.h"
#include "server/store/job_purge.h"
#include "server/store/job_reads.h"
#include "server/store/job_rows.h"
#include "server/store/job_writes.h"
#include "server/store/lease_rows.h"
#include "server/store/ledger.h"
#include "server/store/overview_rows.h"
#include "server/store/read_pool.h"
#include "server/store/sqlite_files.h"
#include "server/store/status_macros.h"
#include "server/store/write_queue.h"

namespace lumaedit {
namespace {

absl::StatusOr<std::string> ReadSetting(SqliteConnection& connection, const std::string& name) {
  Statement select = connection.Prepare("SELECT value FROM settings WHERE name = ?");
  ASSIGN_OR_RETURN(const bool row, select.Bind(name).Step());
  if (!row) return absl::NotFoundError("the setting is unset");
  return select.Text(0);
}

absl::Status WriteSetting(SqliteConnection& connection, const std::string& name,
                          const std::string& value) {
  return connection
      .Prepare(
          "INSERT INTO settings (name, value) VALUES (?, ?)"
          " ON CONFLICT (name) DO UPDATE SET value = excluded.value")
      .Bind(name)
      .Bind(value)
      .Run();
}

class SqliteJobStore final : public JobStore {
 public:
  SqliteJobStore(std::unique_ptr<FileLock> lock, SqliteConnections connections,
                 const SqliteOptions& options)
      : clock_(options.clock),
        log_(options.log),
        counters_(options.counters),
        lock_(std::move(lock)),
        writes_(std::move(connections.writer),
                [&metrics = options.metrics](absl::Duration took, int operations) {
                  metrics.StoreCommitted(took, operations);
                }),
        reads_(std::move(connections.readers)) {}

  absl::StatusOr<InsertResult> Insert(const NewJob& new_job) override {
    return Write<InsertResult>(
        [&](SqliteConnection& c) { return InsertJob(c, new_job, clock_.Now()); });
  }

  absl::StatusOr<Job> FindByRequestId(const std::string& caller,
                                      const std::string& request_id) override {
    return Read<Job>([&](SqliteConnection& c) { return LoadJobOfRequest(c, caller, request_id); });
  }

  absl::StatusOr<Job> Get(const std::string& caller, const std::string& job_id) override {
    return Read<Job>([&](SqliteConnection& c) { return LoadJobOf(c, caller, job_id); });
  }

  absl::StatusOr<JobPage> List(const std::string& caller, const JobFilter& filter,
                               const std::optional<JobCursor>& after, int limit) override {
    return Read<JobPage>(
        [&](SqliteConnection& c) { return ReadJobPage(c, caller, filter, after, limit); });
  }

  absl::StatusOr<std::vector<Transition>> Transitions(const std::string& caller,
                                                      const std::string& job_id, int after,
                                                      int limit) override {
    return Read<std::vector<Transition>>(
        [&](SqliteConnection& c) { return ReadTransitions(c, caller, job_id, after, limit); });
  }

  absl::StatusOr<std::vector<JobTransition>> Changes(const std::string& caller, std::int64_t after,
                                                     int limit) override {
    return Read<std::vector<JobTransition>>(
        [&](SqliteConnection& c) { return ReadChanges(c, caller, after, limit); });
  }

  absl::StatusOr<std::int64_t> NewestChange(const std::string& caller) override {
    return Read<std::int64_t>([&](SqliteConnection& c) { return ReadNewestChange(c, caller); });
  }

  absl::StatusOr<Budget> GetBudget(const std::string& caller, absl::Time window_start) override {
    return Read<Budget>([&](SqliteConnection& c) { return ReadBudget(c, caller, window_start); });
  }

  absl::StatusOr<std::optional<GenerationOrigin>> OriginOfGeneration(
      const std::string& generation_id) override {
    return Read<std::optional<GenerationOrigin>>(
        [&](SqliteConnection& c) { return ReadOriginOfGeneration(c, generation_id); });
  }

  absl::StatusOr<Lease> Acquire(const std::string& owner) override {
    return Write<Lease>([&](SqliteConnection& c) { return TakeLease(c, owner); });
  }

  // Reads only: a full disk is no reason to lose the right to drive jobs.
  absl::StatusOr<Lease> Renew(const Lease& lease) override {
    return Read<Lease>([&](SqliteConnection& c) -> absl::StatusOr<Lease> {
      RETURN_IF_ERROR(CheckLease(c, lease));
      return Lease{lease.owner, lease.epoch, kLeaseLength};
    });
  }

  absl::Status Release(const Lease& lease) override {
    return WriteStatus([&](SqliteConnection& c) { return ReleaseLease(c, lease); });
  }

  absl::StatusOr<std::vector<LiveJob>> LiveJobs(const Lease& lease, const std::string& after_id,
                                                int limit) override {
    return Read<std::vector<LiveJob>>(
        [&](SqliteConnection& c) -> absl::StatusOr<std::vector<LiveJob>> {
          RETURN_IF_ERROR(CheckLease(c, lease));
          return ReadLiveJobs(c, after_id, limit);
        });
  }

  absl::StatusOr<Change> Update(const std::string& job_id, const Lease* lease,
                                DecideFunction decide) override {
    return Write<Change>(
        [&](SqliteConnection& c) { return DecideJob(c, job_id, lease, decide, clock_.Now()); });
  }

  absl::StatusOr<Change> Seal(const Lease& lease, const Attempt& attempt) override {
    return Write<Change>(
        [&](SqliteConnection& c) { return SealAttempt(c, lease, attempt, clock_.Now()); });
  }

  absl::Status RecordFact(const std::string& job_id, int attempt, const Fact& fact,
                          bool ended) override {
    return WriteStatus([&](SqliteConnection& c) {
      return AddFact(c, job_id, attempt, fact, ended, clock_.Now());
    });
  }

  absl::StatusOr<JobView> View(const std::string& job_id) override {
    return Read<JobView>([&](SqliteConnection& c) { return LoadView(c, job_id); });
  }

  absl::StatusOr<std::vector<UnboundAttempt>> UnboundAttempts(const std::string& account) override {
    return Read<std::vector<UnboundAttempt>>(
        [&](SqliteConnection& c) { return ReadUnboundAttempts(c, account); });
  }

  absl::StatusOr<std::vector<OwnedId>> OwnedIds(
      const std::vector<std::string>& upstream_ids) override {
    return Read<std::vector<OwnedId>>(
        [&](SqliteConnection& c) { return ReadOwnedIds(c, upstream_ids); });
  }

  absl::StatusOr<bool> IsBlocked(const std::string& account,
                                 const std::string& fingerprint) override {
    return Read<bool>([&](SqliteConnection& c) { return ReadIsBlocked(c, account, fingerprint); });
  }

  absl::StatusOr<std::vector<LiveJob>> ExpiredJobs(absl::Time ended_after,
                                                   const std::string& after_id,
                                                   int limit) override {
    return Read<std::vector<LiveJob>>(
        [&](SqliteConnection& c) { return ReadExpiredJobs(c, ended_after, after_id, limit); });
  }

  absl::StatusOr<std::vector<AccountName>> AccountNames() override {
    return Read<std::vector<AccountName>>([&](SqliteConnection& c) { return ReadAccountNames(c); });
  }

  absl::StatusOr<std::vector<AccountUse>> RecentAccounts(absl::Duration within) override {
    return Read<std::vector<AccountUse>>(
        [&](SqliteConnection& c) { return ReadRecentAccounts(c, within); });
  }

  absl::Status MoveAccount(const std::string& name, const std::string& account) override {
    return WriteStatus([&](SqliteConnection& c) { return MoveAccountRows(c, name, account); });
  }

  absl::StatusOr<int> Purge(absl::Time ended_before, absl::Time requested_before,
                            int limit) override {
    return Write<int>(
        [&](SqliteConnection& c) { return PurgeJobs(c, ended_before, requested_before, limit); });
  }

  absl::StatusOr<StoreOverview> Overview(int most_held) override {
    return Read<StoreOverview>([&](SqliteConnection& c) { return ReadOverview(c, most_held); });
  }

  absl::StatusOr<absl::Time> NewestStateTime() override {
    return Read<absl::Time>([](SqliteConnection& c) { return ReadNewestStateTime(c); });
  }

  absl::StatusOr<std::string> GetSetting(const std::string& name) override {
    return Read<std::string>([&](SqliteConnection& c) { return ReadSetting(c, name); });
  }

  absl::Status PutSetting(const std::string& name, const std::string& value) override {
    return WriteStatus([&](SqliteConnection& c) { return WriteSetting(c, name, value); });
  }

 private:
  // The result counts only when the transaction around it was committed.
  template <typename T, typename Operation>
  absl::StatusOr<T> Write(Operation operation) {
    absl::StatusOr<T> result = absl::InternalError("not run");
    RETURN_IF_ERROR(WriteStatus([&](SqliteConnection& connection) {
      result = operation(connection);
      return result.status();
    }));
    return result;
  }

  absl::Status WriteStatus(WriteQueue::Operation operation) {
    absl::Status status = writes_.Run(operation);
    if (counters_) {
      counters_->operations.fetch_add(1);
      counters_->commits.store(writes_.commits());
    }
    Report(status);
    return status;
  }

  template <typename T, typename Operation>
  absl::StatusOr<T> Read(Operation operation) {
    absl::StatusOr<T> result = absl::InternalError("not run");
    absl::Status status = reads_.Run([&](SqliteConnection& connection) {
      result = operation(connection);
      return result.status();
    });
    Report(status);
    if (!status.ok()) return status;
    return result;
  }

  // What somebody must act upon. Messages of the store hold ids and numbers, never content.
  void Report(const absl::Status& status) {
    if (status.ok()) return;
    if (absl::IsDataLoss(status) || absl::IsInternal(status)) {
      log_.Error("store_broken", {{"error", std::string(status.message())}});
    } else if (HasReason(status, ErrorReason::kStorageFull)) {
      log_.Error("storage_full");
    } else if (HasReason(status, ErrorReason::kStoreUnavailable)) {
      log_.Error("store_unavailable", {{"error", std::string(status.message())}});
    }
  }

  Clock& clock_;
  Log& log_;
  const std::shared_ptr<StoreCounters> counters_;
  // Released after the connections are closed.
  const std::unique_ptr<FileLock> lock_;
  WriteQueue writes_;
  ReadPool reads_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<JobStore>> OpenSqliteJobStore(const SqliteOptions& options) {
  RETURN_IF_ERROR(MakePrivateFolder(options.data_dir));
  ASSIGN_OR_RETURN(auto lock, FileLock::Take(options.data_dir));
  ASSIGN_OR_RETURN(SqliteConnections connections,
                   OpenDatabase(options.data_dir, options.vfs,
                                std::max(1, options.read_connections), options.random));
  auto store = std::make_unique<SqliteJobStore>(std::move(lock), std::move(connections), options);
  ASSIGN_OR_RETURN(const std::string store_id, store->GetSetting("store_id"));
  options.log.Info("store_opened", {{"data_dir", options.data_dir}, {"store_id", store_id}});
  return store;
}

}  // namespace lumaedit
