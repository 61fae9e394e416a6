// Port: the durable truth about jobs. Synchronous; store threads only; thread-safe.
//
// Every method that writes is one transaction, durable when it returns OK (SQLite: synchronous=FULL
// with group commit). Common errors: UNAVAILABLE kStorageFull when there is no space, UNAVAILABLE
// kStoreUnavailable when the store cannot be asked (after a commit whose answer was lost: re-read),
// INTERNAL for a broken invariant. Law: protocol.md sections 1, 2, 3, 5 and 6.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/job/job.h"

namespace lumaedit {

// The right to drive jobs: who, until when, and the fencing number. Judged by the store's clock.
struct Lease {
  std::string owner;
  std::int64_t epoch = 0;
  // How long it was good for when the store answered; the holder counts down in uptime from the
  // moment before it asked.
  absl::Duration good_for = absl::ZeroDuration();
};

// A limit on reserved + incurred + uncertain (by max) within a window; checked in the transaction
// that inserts the job. `caller` empty: over all callers.
struct SpendLimit {
  std::string caller;
  absl::Time window_start = absl::InfinitePast();
  std::int64_t limit_usd_micros = 0;
};

struct NewJob {
  Job job;  // all that is known at submission; state PENDING
  absl::Time budget_window_start = absl::InfinitePast();  // of the caller's window
  absl::Time day_start = absl::InfinitePast();            // UTC day, for the limit over all callers
  std::vector<SpendLimit> limits;
};

struct InsertResult {
  Job job;
  bool created =
      false;  // false: the pair (caller, request_id) existed; `job` is that one as it is now
  std::optional<Transition> transition;  // sequence 1, when created
};

struct Change {
  Job job;                               // after
  std::optional<Transition> transition;  // set when the state changed
};

// What the engine keeps in memory for a job that is not final.
struct LiveJob {
  std::string id;
  std::string caller;
  JobState state = JobState::kPending;
  std::string upstream_account;
  std::string upstream_id;
  absl::Time create_time;
  absl::Time state_time;
  absl::Time accept_time;
  absl::Time next_attempt_time;
  std::optional<absl::Duration> start_within;
};

// An attempt that may still have a record upstream: unbound and not known to be not accepted. Also
// those that a person has bound: the record may have been another's.
struct UnboundAttempt {
  Attempt attempt;
  std::string caller;
  JobState job_state;  // also of final jobs (abandoned ones): they still compete for records
};

// A job that owns an upstream id, and between which times (ours) its record was made.
struct OwnedId {
  std::string upstream_id;
  std::string account;
  absl::Time create_time;
  absl::Time accept_time;
};

// What an upstream key stood under before its account was learned (protocol.md section 4).
struct AccountName {
  std::string name;     // a hash of the key
  std::string account;  // what it turned out to be
};

// An upstream account that was sent to.
struct AccountUse {
  std::string account;
  absl::Time newest_accepted = absl::InfinitePast();  // seal time of its newest accepted attempt
};

struct JobFilter {
  std::vector<JobState> states;                        // empty: any
  std::map<std::string, std::string> labels;           // all must be equal
  absl::Time created_after = absl::InfinitePast();     // inclusive
  absl::Time created_before = absl::InfiniteFuture();  // exclusive
};

// Keyset position: jobs older than this one, newest first.
struct JobCursor {
  absl::Time create_time;
  std::string id;
};

struct JobPage {
  std::vector<Job> jobs;
  bool has_more = false;
};

struct JobTransition {
  std::string job_id;
  Transition transition;
  std::map<std::string, std::string> labels;  // the job's
};

struct Budget {
  std::int64_t reserved_usd_micros = 0;
  std::int64_t incurred_usd_micros = 0;
  std::int64_t uncertain_usd_micros = 0;
};

// The job whose outcome is a generation.
struct GenerationOrigin {
  std::string caller;
  std::string job_id;
  SourceLength source_length;  // of that job
};

// A job that waits for a person, or for a record that comes late.
struct HeldJob {
  std::string id;
  std::string caller;
  absl::Time since;
  PriceRange amount;  // uncertain
  std::vector<std::string> candidate_upstream_ids;
};

// For those who run the gateway: over all callers.
struct StoreOverview {
  std::map<JobState, std::int64_t> live;  // how many are in each state that is not final
  std::int64_t held_usd_micros = 0;       // of HELD jobs, by max
  std::int64_t uncertain_usd_micros = 0;  // of all jobs ever, by max
  std::vector<HeldJob> held;              // longest held first
};

// What a decision knows: the job as it is, and its attempts with every fact, in this transaction.
struct JobView {
  Job job;
  std::vector<Attempt> attempts;
};

// What a decision says. Left unset: nothing is written.
struct Decision {
  Job job;  // the job after; the store sets sequence, state_time and the transition
  absl::Time not_before = absl::InfinitePast();  // for the transition
  absl::Time not_after = absl::InfinitePast();
  std::string actor;
  // Binds this attempt to job.upstream_id; 0: none.
  int bind_attempt = 0;
  HandBinding by_hand = HandBinding::kNone;  // of that attempt
};

using DecideFunction =
    absl::FunctionRef<absl::StatusOr<std::optional<Decision>>(const JobView& view)>;

class JobStore {
 public:
  virtual ~JobStore() = default;

  // --- Submitting -------------------------------------------------------------------------------
  // Inserts job, transition 1, request id and reservation. created=false for a known request id.
  // RESOURCE_EXHAUSTED kBudgetExceeded (metadata "limit_usd_micros", "scope" and, for
  // the caller's own limit, "used_usd_micros": what others spend is not the caller's to know);
  // FAILED_PRECONDITION kRequestIdRetired when only the request id is left.
  virtual absl::StatusOr<InsertResult> Insert(const NewJob& new_job) = 0;

  // The job of a request id, without inserting. NOT_FOUND: free. kRequestIdRetired as above.
  virtual absl::StatusOr<Job> FindByRequestId(const std::string& caller,
                                              const std::string& request_id) = 0;

  // --- Reading for callers ----------------------------------------------------------------------
  // NOT_FOUND (kJobNotFound) for a missing and for another caller's job alike.
  virtual absl::StatusOr<Job> Get(const std::string& caller, const std::string& job_id) = 0;

  // Newest first by (create_time, id).
  virtual absl::StatusOr<JobPage> List(const std::string& caller, const JobFilter& filter,
                                       const std::optional<JobCursor>& after, int limit) = 0;

  // Transitions of a job with sequence > after, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<Transition>> Transitions(const std::string& caller,
                                                              const std::string& job_id, int after,
                                                              int limit) = 0;

  // Transitions of all the caller's jobs with change > after, in order, at most `limit`.
  // OUT_OF_RANGE kTokenTooOld: some of them were purged.
  virtual absl::StatusOr<std::vector<JobTransition>> Changes(const std::string& caller,
                                                             std::int64_t after, int limit) = 0;

  // The caller's newest change number; 0: none yet.
  virtual absl::StatusOr<std::int64_t> NewestChange(const std::string& caller) = 0;

  virtual absl::StatusOr<Budget> GetBudget(const std::string& caller, absl::Time window_start) = 0;

  // The job, of any caller, whose outcome has this generation id; unset when no job's has.
  virtual absl::StatusOr<std::optional<GenerationOrigin>> OriginOfGeneration(
      const std::string& generation_id) = 0;

  // --- Owning -----------------------------------------------------------------------------------
  // Registers `owner` with a new epoch and takes over the jobs of expired owners (SQLite: of all).
  virtual absl::StatusOr<Lease> Acquire(const std::string& owner) = 0;
  virtual absl::StatusOr<Lease> Renew(const Lease& lease) = 0;  // ABORTED: lost
  virtual absl::Status Release(const Lease& lease) = 0;

  // The jobs of this owner that are not final and lie after `after_id` by id, at most `limit`.
  virtual absl::StatusOr<std::vector<LiveJob>> LiveJobs(const Lease& lease,
                                                        const std::string& after_id, int limit) = 0;

  // --- Deciding ---------------------------------------------------------------------------------
  // Reads the job and its attempts, asks `decide`, writes what it says: one transaction. With a
  // `lease` the write is fenced: ABORTED when the lease is lost. Without: for what a caller asks
  // (cancel, resolve). `decide` may run again (a transaction that must be repeated), so it is pure.
  // A state that may not follow is INTERNAL. ALREADY_EXISTS: another job owns
  // (upstream_account, upstream_id). When the job leaves SUBMITTING and UNCONFIRMED, its attempts
  // stop blocking equal payloads.
  virtual absl::StatusOr<Change> Update(const std::string& job_id, const Lease* lease,
                                        DecideFunction decide) = 0;

  // The seal: PENDING and no cancel asked (else FAILED_PRECONDITION), lease good for 5 s (ABORTED),
  // no other attempt of this account and fingerprint whose job is SUBMITTING or UNCONFIRMED
  // (ALREADY_EXISTS); then SUBMITTING with this attempt, numbered by the store. One that brings an
  // accepted fact was sent, whatever was asked or lost: of a live job it is kept, once, with facts.
  virtual absl::StatusOr<Change> Seal(const Lease& lease, const Attempt& attempt) = 0;

  // Adds a fact to an attempt, lease or no lease, late or not. An equal fact (but for its time) is
  // kept once. Sets the attempt's end_time when `ended`.
  virtual absl::Status RecordFact(const std::string& job_id, int attempt, const Fact& fact,
                                  bool ended) = 0;

  // For what the engine reads across callers, by job id. NOT_FOUND: purged.
  virtual absl::StatusOr<JobView> View(const std::string& job_id) = 0;

  // --- Finding again ----------------------------------------------------------------------------
  virtual absl::StatusOr<std::vector<UnboundAttempt>> UnboundAttempts(
      const std::string& account) = 0;
  // Those of `upstream_ids` that some job owns, under whichever account.
  virtual absl::StatusOr<std::vector<OwnedId>> OwnedIds(
      const std::vector<std::string>& upstream_ids) = 0;
  // Would a seal find an attempt with this fingerprint whose job is SUBMITTING or UNCONFIRMED?
  // Asked before a body is uploaded; the seal stays the judge. `account` empty: of any account.
  virtual absl::StatusOr<bool> IsBlocked(const std::string& account,
                                         const std::string& fingerprint) = 0;
  // The jobs that are EXPIRED since `ended_after` or later and whose late outcome is not known, by
  // id after `after_id`, at most `limit`.
  virtual absl::StatusOr<std::vector<LiveJob>> ExpiredJobs(absl::Time ended_after,
                                                           const std::string& after_id,
                                                           int limit) = 0;

  // --- Upstream accounts ------------------------------------------------------------------------
  virtual absl::StatusOr<std::vector<AccountName>> AccountNames() = 0;
  // Those under which something was sealed no longer than `within` before the newest seal. Reads
  // every attempt.
  virtual absl::StatusOr<std::vector<AccountUse>> RecentAccounts(absl::Duration within) = 0;
  // `name` turned out to be `account`: every attempt and job that stands under it moves there, and
  // who seals or asks under `name` later is served under `account`. ALREADY_EXISTS: an upstream id
  // would have two owners; then nothing moves.
  virtual absl::Status MoveAccount(const std::string& name, const std::string& account) = 0;

  // --- Keeping house ----------------------------------------------------------------------------
  // Removes jobs that ended before `ended_before` (their request ids stay) and request ids older
  // than `requested_before`; at most `limit` jobs a call. Answers how many jobs went.
  virtual absl::StatusOr<int> Purge(absl::Time ended_before, absl::Time requested_before,
                                    int limit) = 0;

  // With at most `most_held` held jobs.
  virtual absl::StatusOr<StoreOverview> Overview(int most_held) = 0;

  // When a job last changed its state; InfinitePast: there is no job. Reads every job.
  virtual absl::StatusOr<absl::Time> NewestStateTime() = 0;

  // Small durable settings of the whole store: "dispatch_paused", "restored", "restored_accounts",
  // "clock_believed_time", "store_id".
  // NOT_FOUND: unset.
  virtual absl::StatusOr<std::string> GetSetting(const std::string& name) = 0;
  virtual absl::Status PutSetting(const std::string& name, const std::string& value) = 0;
};

}  // namespace lumaedit
