#include "server/store/job_writes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job/state_rules.h"
#include "server/store/account_rows.h"
#include "server/store/job_rows.h"
#include "server/store/lease_rows.h"
#include "server/store/ledger.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

absl::Status Broken(const std::string& job_id, std::string_view what) {
  return MakeError(absl::StatusCode::kInternal, ErrorReason::kInternal,
                   absl::StrCat("job ", job_id, ": ", std::string(what)));
}

// Times of day jump; the transitions of a job do not.
absl::Time NotBefore(absl::Time earlier, absl::Time now) {
  return absl::FromUnixMicros(std::max(absl::ToUnixMicros(earlier), absl::ToUnixMicros(now)));
}

// What the watchers get is what a later reading of the store gives, to the microsecond.
absl::StatusOr<Transition> LoadTransition(SqliteConnection& connection, const Job& job,
                                          int sequence) {
  static const std::string sql = absl::StrCat(
      "SELECT ", kTransitionColumns, " FROM transitions WHERE job_id = ? AND sequence = ?");
  Statement select = connection.Prepare(sql);
  ASSIGN_OR_RETURN(const bool row, select.Bind(job.id).Bind(sequence).Step());
  if (!row) return Broken(job.id, "its transition is missing");
  ASSIGN_OR_RETURN(JobTransition read, ReadTransition(select));
  return std::move(read.transition);
}

// Writes the transition that `job`, already in its new state, has made; sets sequence and times.
absl::Status WriteTransition(SqliteConnection& connection, std::optional<JobState> previous,
                             absl::Time now, const Decision& decision, Job& job) {
  job.sequence += 1;
  job.state_time = NotBefore(previous ? job.state_time : job.create_time, now);
  if (IsFinal(job.state)) job.end_time = job.state_time;
  Transition transition;
  transition.sequence = job.sequence;
  transition.previous_state = previous;
  transition.state = job.state;
  transition.record_time = job.state_time;
  transition.not_before = decision.not_before;
  transition.not_after = decision.not_after;
  transition.upstream_status = job.upstream_status;
  transition.charge = job.charge;
  if (IsFinal(job.state)) {
    transition.outcome = job.outcome;
    transition.error = job.error;
  }
  transition.actor = decision.actor;
  ASSIGN_OR_RETURN(transition.change, RaiseChange(connection, job.caller));
  return InsertTransitionRow(connection, job, transition);
}

// A decision about the job also tells about its attempts (protocol.md section 2).
absl::Status FollowInAttempts(SqliteConnection& connection, const Job& before, const Job& after) {
  if (BlocksEqualPayload(before.state) && !BlocksEqualPayload(after.state)) {
    RETURN_IF_ERROR(
        connection.Prepare("UPDATE attempts SET open = 0 WHERE job_id = ?").Bind(after.id).Run());
  }
  const bool ended_unsent =
      (after.state == JobState::kFailed || after.state == JobState::kCancelled) &&
      after.charge.state == ChargeState::kReleased && after.upstream_id.empty();
  const bool was_sent = BlocksEqualPayload(before.state) || before.state == JobState::kHeld;
  if (was_sent && (after.state == JobState::kPending || ended_unsent)) {
    return connection
        .Prepare("UPDATE attempts SET not_accepted = 1 WHERE job_id = ? AND upstream_id = ''")
        .Bind(after.id)
        .Run();
  }
  return absl::OkStatus();
}

absl::Status BindAttempt(SqliteConnection& connection, const Job& job, int attempt,
                         HandBinding by_hand) {
  if (job.upstream_id.empty()) return Broken(job.id, "an attempt was bound to no upstream id");
  RETURN_IF_ERROR(connection
                      .Prepare("UPDATE attempts SET upstream_id = ?, not_accepted = 0, by_hand = ?"
                               " WHERE job_id = ? AND number = ?")
                      .Bind(job.upstream_id)
                      .Bind(static_cast<int>(by_hand))
                      .Bind(job.id)
                      .Bind(attempt)
                      .Run());
  return connection.Changes() == 1 ? absl::OkStatus()
                                   : Broken(job.id, "the attempt to be bound does not exist");
}

// Writes a job that went from `before` to `job` by `decision`.
absl::StatusOr<Change> WriteChange(SqliteConnection& connection, const Job& before, Job job,
                                   const Decision& decision, absl::Time now) {
  const bool moved = job.state != before.state;
  if (moved) {
    if (!MayMove(before.state, job.state)) {
      return Broken(job.id, absl::StrCat(std::string(JobStateName(before.state)),
                                         " may not become ", std::string(JobStateName(job.state))));
    }
    RETURN_IF_ERROR(WriteTransition(connection, before.state, now, decision, job));
  }
  RETURN_IF_ERROR(MoveCharge(connection, job, before.charge, job.charge));
  if (absl::Status status = UpdateJobRow(connection, job); !status.ok()) {
    if (!absl::IsAlreadyExists(status)) return status;
    return absl::AlreadyExistsError("another job owns this upstream id");
  }
  if (decision.bind_attempt != 0) {
    RETURN_IF_ERROR(BindAttempt(connection, job, decision.bind_attempt, decision.by_hand));
  }
  if (moved) RETURN_IF_ERROR(FollowInAttempts(connection, before, job));

  Change change;
  ASSIGN_OR_RETURN(change.job, LoadJob(connection, job.id));
  if (moved) {
    ASSIGN_OR_RETURN(change.transition, LoadTransition(connection, job, job.sequence));
  }
  return change;
}

bool SaysNotAccepted(FactKind kind) {
  return kind == FactKind::kNotAccepted || kind == FactKind::kEditRefused ||
         kind == FactKind::kEveryoneRefused;
}

const Fact* FindAccepted(const Attempt& attempt) {
  const auto it = std::find_if(attempt.facts.begin(), attempt.facts.end(),
                               [](const Fact& f) { return f.kind == FactKind::kAccepted; });
  return it == attempt.facts.end() ? nullptr : &*it;
}

bool Knows(const std::vector<Attempt>& attempts, const Fact& accepted) {
  return std::any_of(attempts.begin(), attempts.end(), [&](const Attempt& attempt) {
    const Fact* known = FindAccepted(attempt);
    return known != nullptr && known->upstream_id == accepted.upstream_id;
  });
}

absl::Status AttemptNotFound() { return absl::NotFoundError("there is no such attempt"); }

}  // namespace

absl::StatusOr<Job> LoadJobOfRequest(SqliteConnection& connection, const std::string& caller,
                                     const std::string& request_id) {
  std::string job_id;
  {
    Statement select =
        connection.Prepare("SELECT job_id FROM request_ids WHERE caller = ? AND request_id = ?");
    ASSIGN_OR_RETURN(const bool row, select.Bind(caller).Bind(request_id).Step());
    if (!row) return absl::NotFoundError("the request_id is free");
    job_id = select.Text(0);
  }
  absl::StatusOr<Job> job = LoadJobOf(connection, caller, job_id);
  if (!absl::IsNotFound(job.status())) return job;
  return MakeError(absl::StatusCode::kFailedPrecondition, ErrorReason::kRequestIdRetired,
                   "the job of this request_id is no longer kept; use a new request_id");
}

absl::StatusOr<InsertResult> InsertJob(SqliteConnection& connection, const NewJob& new_job,
                                       absl::Time now) {
  Job job = new_job.job;
  if (job.state != JobState::kPending || job.caller.empty() || !IsSet(job.create_time) ||
      job.charge.amount.max_usd_micros < 0) {
    return Broken(job.id, "a new job is PENDING and has a caller, a create time and a price");
  }
  InsertResult result;
  absl::StatusOr<Job> known = LoadJobOfRequest(connection, job.caller, job.request_id);
  if (known.ok()) {
    result.job = *std::move(known);
    return result;
  }
  if (!absl::IsNotFound(known.status())) return known.status();
  RETURN_IF_ERROR(CheckLimits(connection, new_job.limits, job.charge));

  // The transition goes in after its job, which it refers to; the caller's row before both.
  job.sequence = 1;
  job.state_time = NotBefore(job.create_time, now);
  Transition transition;
  transition.sequence = job.sequence;
  transition.state = job.state;
  transition.record_time = job.state_time;
  transition.upstream_status = job.upstream_status;
  transition.charge = job.charge;
  ASSIGN_OR_RETURN(transition.change, RaiseChange(connection, job.caller));
  const BudgetWindows windows{new_job.budget_window_start, new_job.day_start};
  if (absl::Status status = InsertJobRow(connection, job, windows); !status.ok()) {
    return absl::IsAlreadyExists(status) ? Broken(job.id, "its id is taken") : status;
  }
  RETURN_IF_ERROR(InsertTransitionRow(connection, job, transition));
  RETURN_IF_ERROR(connection
                      .Prepare("INSERT INTO request_ids (caller, request_id, job_id, request_time)"
                               " VALUES (?, ?, ?, ?)")
                      .Bind(job.caller)
                      .Bind(job.request_id)
                      .Bind(job.id)
                      .BindTime(job.create_time)
                      .Run());
  RETURN_IF_ERROR(CountCharge(connection, job.caller, windows, job.charge));

  result.created = true;
  ASSIGN_OR_RETURN(result.job, LoadJob(connection, job.id));
  ASSIGN_OR_RETURN(result.transition, LoadTransition(connection, job, job.sequence));
  return result;
}

absl::StatusOr<Change> DecideJob(SqliteConnection& connection, const std::string& job_id,
                                 const Lease* lease, DecideFunction decide, absl::Time now) {
  if (lease != nullptr) RETURN_IF_ERROR(CheckLease(connection, *lease));
  ASSIGN_OR_RETURN(JobView view, LoadView(connection, job_id));
  ASSIGN_OR_RETURN(const std::optional<Decision> decision, decide(view));
  if (!decision) return Change{std::move(view.job), std::nullopt};

  Job after = decision->job;
  if (after.id != view.job.id || after.caller != view.job.caller) {
    return Broken(job_id, "a decision named another job");
  }
  if (after.charge.amount.max_usd_micros < 0) return Broken(job_id, "a price is negative");
  // The store's own; a decision cannot shift them.
  after.sequence = view.job.sequence;
  after.state_time = view.job.state_time;
  after.end_time = view.job.end_time;
  after.create_time = view.job.create_time;
  return WriteChange(connection, view.job, std::move(after), *decision, now);
}

absl::StatusOr<Change> SealAttempt(SqliteConnection& connection, const Lease& lease,
                                   const Attempt& attempt, absl::Time now) {
  // What was accepted is only written down, by whoever knows it: nothing is sent by this seal.
  const Fact* accepted = FindAccepted(attempt);
  if (accepted == nullptr) RETURN_IF_ERROR(CheckLease(connection, lease));
  ASSIGN_OR_RETURN(const JobView view, LoadView(connection, attempt.job_id));
  const Job& before = view.job;
  const bool may_be_sent = before.state == JobState::kPending && !IsSet(before.cancel_request_time);
  if (accepted != nullptr ? IsFinal(before.state) : !may_be_sent) {
    return MakeError(absl::StatusCode::kFailedPrecondition, ErrorReason::kStateChanged,
                     "the job is not to be sent any more");
  }
  if (accepted != nullptr && Knows(view.attempts, *accepted)) return Change{before, std::nullopt};

  Attempt sealed = attempt;
  sealed.number = view.attempts.empty() ? 1 : view.attempts.back().number + 1;
  if (!IsSet(sealed.seal_time)) sealed.seal_time = now;
  sealed.upstream_id.clear();
  // Its account may have been learned while the body was on its way.
  ASSIGN_OR_RETURN(sealed.account, AccountOf(connection, attempt.account));
  // Where the record is known by its id, an equal payload is no danger to it.
  const absl::Status inserted =
      InsertAttemptRow(connection, before.caller, sealed, /*blocks=*/accepted == nullptr);
  if (absl::IsAlreadyExists(inserted)) {
    return absl::AlreadyExistsError("an equal payload of this account is on its way or in doubt");
  }
  RETURN_IF_ERROR(inserted);
  for (const Fact& fact : attempt.facts) {
    RETURN_IF_ERROR(AddFact(connection, before.id, sealed.number, fact, /*ended=*/true, now));
  }
  if (before.state != JobState::kPending) return Change{before, std::nullopt};
  Decision decision;
  decision.job = before;
  decision.job.state = JobState::kSubmitting;
  decision.job.next_attempt_time = absl::InfinitePast();
  return WriteChange(connection, before, decision.job, decision, now);
}

absl::Status AddFact(SqliteConnection& connection, const std::string& job_id, int attempt,
                     const Fact& fact, bool ended, absl::Time now) {
  const absl::Time record_time = IsSet(fact.record_time) ? fact.record_time : now;
  ASSIGN_OR_RETURN(const std::vector<Attempt> attempts, LoadAttempts(connection, job_id));
  const auto found = std::find_if(attempts.begin(), attempts.end(),
                                  [&](const Attempt& a) { return a.number == attempt; });
  if (found == attempts.end()) return AttemptNotFound();
  ASSIGN_OR_RETURN(const bool added, InsertFactRow(connection, job_id, attempt, fact, record_time));

  // A repeat of a fact is no later end; another fact may be, and the later end is the safer one:
  // records are looked for until then.
  const bool sets_end = ended && (added || !IsSet(found->end_time));
  if (sets_end) {
    RETURN_IF_ERROR(connection
                        .Prepare("UPDATE attempts SET end_time = max(coalesce(end_time, ?1), ?1)"
                                 " WHERE job_id = ?2 AND number = ?3")
                        .BindTime(record_time)
                        .Bind(job_id)
                        .Bind(attempt)
                        .Run());
  }
  const bool was_accepted = FindAccepted(*found) != nullptr;
  // Facts may contradict each other; an acceptance that was seen outweighs the rest.
  if (fact.kind == FactKind::kAccepted || (SaysNotAccepted(fact.kind) && !was_accepted)) {
    return connection
        .Prepare("UPDATE attempts SET not_accepted = ? WHERE job_id = ? AND number = ?")
        .Bind(fact.kind == FactKind::kAccepted ? 0 : 1)
        .Bind(job_id)
        .Bind(attempt)
        .Run();
  }
  return absl::OkStatus();
}

}  // namespace lumaedit
