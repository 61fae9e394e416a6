#include "server/store/job_rows.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/status_macros.h"
#include "server/store/value_json.h"

namespace lumaedit {

const char kJobColumns[] =
    "jobs.id, jobs.caller, jobs.request_id, jobs.state, jobs.sequence, jobs.edit, jobs.options,"
    " jobs.quote_min, jobs.quote_max, jobs.charge_state, jobs.charge_min, jobs.charge_max,"
    " jobs.outcome, jobs.error, jobs.upstream_account, jobs.upstream_id, jobs.upstream_status,"
    " jobs.candidate_upstream_ids, jobs.stalled, jobs.unreachable, jobs.refusals,"
    " jobs.cancel_result, jobs.cancel_actor, jobs.create_time, jobs.accept_time, jobs.end_time,"
    " jobs.cancel_request_time, jobs.next_attempt_time, jobs.late_outcome_time, jobs.state_time,"
    " jobs.change_time, jobs.source_length, jobs.duration_basis";

const char kTransitionColumns[] =
    "job_id, sequence, previous_state, state, record_time, not_before, not_after,"
    " upstream_status, charge_state, charge_min, charge_max, outcome, error, actor, change";

const char kAttemptColumns[] =
    "attempts.job_id, attempts.number, attempts.account, attempts.model, attempts.fingerprint,"
    " attempts.seal_time, attempts.end_time, attempts.upstream_id, attempts.by_hand";

namespace {

// What a stored row says must not end the process: numbers are checked before they become enums.
template <typename Enum>
bool ReadEnum(std::int64_t number, Enum least, Enum most, Enum& target) {
  if (number < static_cast<int>(least) || number > static_cast<int>(most)) return false;
  target = static_cast<Enum>(number);
  return true;
}

bool ReadInt(std::int64_t number, int& target) {
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    return false;
  }
  target = static_cast<int>(number);
  return true;
}

bool ReadState(std::int64_t number, JobState& target) {
  return ReadEnum(number, JobState::kPending, JobState::kExpired, target);
}

bool ReadCharge(const Statement& row, int column, Charge& charge) {
  charge.amount = {row.Int(column + 1), row.Int(column + 2)};
  return ReadEnum(row.Int(column), ChargeState::kReserved, ChargeState::kUncertain, charge.state);
}

absl::Status BadRow(const std::string& job_id, std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the stored ", std::string(what), " of job ", job_id, " cannot be read"));
}

absl::Status ReadOutcomeAndError(const Statement& row, int column, std::optional<Outcome>& outcome,
                                 std::optional<JobError>& error) {
  if (const auto text = row.OptionalText(column)) {
    ASSIGN_OR_RETURN(outcome, OutcomeFromJson(*text));
  }
  if (const auto text = row.OptionalText(column + 1)) {
    ASSIGN_OR_RETURN(error, JobErrorFromJson(*text));
  }
  return absl::OkStatus();
}

std::optional<std::string> OutcomeText(const std::optional<Outcome>& outcome) {
  if (!outcome) return std::nullopt;
  return OutcomeToJson(*outcome);
}

std::optional<std::string> ErrorText(const std::optional<JobError>& error) {
  if (!error) return std::nullopt;
  return JobErrorToJson(*error);
}

absl::Status ReadJobFields(const Statement& row, Job& job) {
  int column = 2;
  job.request_id = row.Text(column++);
  bool good = ReadState(row.Int(column++), job.state);
  good &= ReadInt(row.Int(column++), job.sequence);
  ASSIGN_OR_RETURN(job.edit, EditFromJson(row.Text(column++)));
  ASSIGN_OR_RETURN(job.options, OptionsFromJson(row.Text(column++)));
  job.quote.min_usd_micros = row.Int(column++);
  job.quote.max_usd_micros = row.Int(column++);
  good &= ReadCharge(row, column, job.charge);
  column += 3;
  RETURN_IF_ERROR(ReadOutcomeAndError(row, column, job.outcome, job.error));
  column += 2;
  job.upstream_account = row.Text(column++);
  job.upstream_id = row.Text(column++);
  job.upstream_status = row.Text(column++);
  ASSIGN_OR_RETURN(job.candidate_upstream_ids, StringsFromJson(row.Text(column++)));
  job.stalled = row.Int(column++) != 0;
  job.unreachable = row.Int(column++) != 0;
  good &= ReadInt(row.Int(column++), job.refusals);
  good &=
      ReadEnum(row.Int(column++), CancelResult::kNone, CancelResult::kTooLate, job.cancel_result);
  job.cancel_actor = row.Text(column++);
  job.create_time = row.Time(column++);
  job.accept_time = row.Time(column++);
  job.end_time = row.Time(column++);
  job.cancel_request_time = row.Time(column++);
  job.next_attempt_time = row.Time(column++);
  job.late_outcome_time = row.Time(column++);
  job.state_time = row.Time(column++);
  job.change_time = row.Time(column++);
  good &= ReadSourceLength(row, column, job.source_length);
  return good ? absl::OkStatus() : absl::DataLossError("a number is out of range");
}

// The part that InsertJobRow and UpdateJobRow have in common, in the order of their columns.
void BindChangingFields(Statement& statement, const Job& job) {
  statement.Bind(static_cast<int>(job.state))
      .Bind(job.sequence)
      .Bind(static_cast<int>(job.charge.state))
      .Bind(job.charge.amount.min_usd_micros)
      .Bind(job.charge.amount.max_usd_micros)
      .BindOptional(OutcomeText(job.outcome))
      .Bind(std::string_view(job.outcome ? job.outcome->generation_id : ""))
      .BindOptional(ErrorText(job.error))
      .Bind(job.upstream_account)
      .Bind(job.upstream_id)
      .Bind(job.upstream_status)
      .Bind(StringsToJson(job.candidate_upstream_ids))
      .Bind(job.stalled)
      .Bind(job.unreachable)
      .Bind(job.refusals)
      .Bind(static_cast<int>(job.cancel_result))
      .Bind(job.cancel_actor)
      .BindTime(job.accept_time)
      .BindTime(job.end_time)
      .BindTime(job.cancel_request_time)
      .BindTime(job.next_attempt_time)
      .BindTime(job.late_outcome_time)
      .BindTime(job.state_time)
      .BindTime(job.change_time);
}

}  // namespace

absl::Status JobNotFound() {
  return MakeError(absl::StatusCode::kNotFound, ErrorReason::kJobNotFound, "there is no such job");
}

bool ReadSourceLength(const Statement& row, int column, SourceLength& length) {
  if (!row.IsNull(column)) length.duration = absl::Microseconds(row.Int(column));
  return ReadEnum(row.Int(column + 1), DurationBasis::kProbed, DurationBasis::kUnknown,
                  length.basis);
}

absl::StatusOr<Job> ReadJob(const Statement& row) {
  Job job;
  job.id = row.Text(0);
  job.caller = row.Text(1);
  if (!ReadJobFields(row, job).ok()) return BadRow(job.id, "row");
  return job;
}

absl::StatusOr<JobTransition> ReadTransition(const Statement& row) {
  JobTransition result;
  result.job_id = row.Text(0);
  Transition& transition = result.transition;
  bool good = ReadInt(row.Int(1), transition.sequence);
  if (!row.IsNull(2)) good &= ReadState(row.Int(2), transition.previous_state.emplace());
  good &= ReadState(row.Int(3), transition.state);
  transition.record_time = row.Time(4);
  transition.not_before = row.Time(5);
  transition.not_after = row.Time(6);
  transition.upstream_status = row.Text(7);
  good &= ReadCharge(row, 8, transition.charge);
  good &= ReadOutcomeAndError(row, 11, transition.outcome, transition.error).ok();
  transition.actor = row.Text(13);
  transition.change = row.Int(14);
  if (!good) return BadRow(result.job_id, "transition");
  return result;
}

absl::StatusOr<Attempt> ReadAttempt(const Statement& row) {
  Attempt attempt;
  attempt.job_id = row.Text(0);
  const bool good =
      ReadInt(row.Int(1), attempt.number) &&
      ReadEnum(row.Int(8), HandBinding::kNone, HandBinding::kUnknownTime, attempt.by_hand);
  attempt.account = row.Text(2);
  attempt.model = row.Text(3);
  attempt.fingerprint = row.Text(4);
  attempt.seal_time = row.Time(5);
  attempt.end_time = row.Time(6);
  attempt.upstream_id = row.Text(7);
  if (!good) return BadRow(attempt.job_id, "attempt");
  return attempt;
}

absl::Status InsertJobRow(SqliteConnection& connection, const Job& job,
                          const BudgetWindows& windows) {
  Statement insert = connection.Prepare(
      "INSERT INTO jobs (id, caller, request_id, edit, options, quote_min, quote_max,"
      " source_length, duration_basis, create_time, budget_window, budget_day, state, sequence, "
      "charge_state, charge_min, charge_max, outcome,"
      " generation_id, error, upstream_account, upstream_id, upstream_status,"
      " candidate_upstream_ids, stalled, unreachable, refusals, cancel_result, cancel_actor,"
      " accept_time, end_time, cancel_request_time, next_attempt_time, late_outcome_time,"
      " state_time, change_time)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
      " ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.Bind(job.id)
      .Bind(job.caller)
      .Bind(job.request_id)
      .Bind(EditToJson(job.edit))
      .Bind(OptionsToJson(job.options))
      .Bind(job.quote.min_usd_micros)
      .Bind(job.quote.max_usd_micros);
  if (job.source_length.duration) {
    insert.Bind(absl::ToInt64Microseconds(*job.source_length.duration));
  } else {
    insert.BindNull();
  }
  insert.Bind(static_cast<int>(job.source_length.basis))
      .BindTime(job.create_time)
      .Bind(absl::ToUnixMicros(windows.window_start))
      .Bind(absl::ToUnixMicros(windows.day_start));
  BindChangingFields(insert, job);
  RETURN_IF_ERROR(insert.Run());
  for (const auto& [name, value] : job.options.labels) {
    RETURN_IF_ERROR(connection
                        .Prepare("INSERT INTO job_labels (caller, name, value, create_time, job_id)"
                                 " VALUES (?, ?, ?, ?, ?)")
                        .Bind(job.caller)
                        .Bind(name)
                        .Bind(value)
                        .BindTime(job.create_time)
                        .Bind(job.id)
                        .Run());
  }
  return absl::OkStatus();
}

absl::Status UpdateJobRow(SqliteConnection& connection, const Job& job) {
  Statement update = connection.Prepare(
      "UPDATE jobs SET state = ?, sequence = ?, charge_state = ?, charge_min = ?, charge_max = ?,"
      " outcome = ?, generation_id = ?, error = ?, upstream_account = ?, upstream_id = ?,"
      " upstream_status = ?, candidate_upstream_ids = ?, stalled = ?, unreachable = ?,"
      " refusals = ?, cancel_result = ?, cancel_actor = ?, accept_time = ?, end_time = ?,"
      " cancel_request_time = ?, next_attempt_time = ?, late_outcome_time = ?, state_time = ?,"
      " change_time = ? WHERE id = ? AND caller = ?");
  BindChangingFields(update, job);
  return update.Bind(job.id).Bind(job.caller).Run();
}

absl::Status InsertTransitionRow(SqliteConnection& connection, const Job& job,
                                 const Transition& transition) {
  Statement insert = connection.Prepare(
      "INSERT INTO transitions (caller, change, job_id, sequence, previous_state, state,"
      " record_time, not_before, not_after, upstream_status, charge_state, charge_min, charge_max,"
      " outcome, error, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.Bind(job.caller).Bind(transition.change).Bind(job.id).Bind(transition.sequence);
  if (transition.previous_state) {
    insert.Bind(static_cast<int>(*transition.previous_state));
  } else {
    insert.BindNull();
  }
  return insert.Bind(static_cast<int>(transition.state))
      .BindTime(transition.record_time)
      .BindTime(transition.not_before)
      .BindTime(transition.not_after)
      .Bind(transition.upstream_status)
      .Bind(static_cast<int>(transition.charge.state))
      .Bind(transition.charge.amount.min_usd_micros)
      .Bind(transition.charge.amount.max_usd_micros)
      .BindOptional(OutcomeText(transition.outcome))
      .BindOptional(ErrorText(transition.error))
      .Bind(transition.actor)
      .Run();
}

absl::Status InsertAttemptRow(SqliteConnection& connection, const std::string& caller,
                              const Attempt& attempt, bool blocks) {
  return connection
      .Prepare(
          "INSERT INTO attempts (job_id, number, caller, account, model, fingerprint,"
          " seal_time, end_time, upstream_id, open) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .Bind(attempt.job_id)
      .Bind(attempt.number)
      .Bind(caller)
      .Bind(attempt.account)
      .Bind(attempt.model)
      .Bind(attempt.fingerprint)
      .BindTime(attempt.seal_time)
      .BindTime(attempt.end_time)
      .Bind(attempt.upstream_id)
      .Bind(blocks)
      .Run();
}

absl::StatusOr<bool> InsertFactRow(SqliteConnection& connection, const std::string& job_id,
                                   int attempt, const Fact& fact, absl::Time record_time) {
  RETURN_IF_ERROR(
      connection
          .Prepare("INSERT INTO facts (job_id, attempt, number, caller, record_time, fact)"
                   " SELECT a.job_id, a.number, 1 + (SELECT coalesce(max(f.number), 0) FROM facts f"
                   " WHERE f.job_id = a.job_id AND f.attempt = a.number), a.caller, ?1, ?2"
                   " FROM attempts a WHERE a.job_id = ?3 AND a.number = ?4 AND NOT EXISTS"
                   " (SELECT 1 FROM facts f WHERE f.job_id = a.job_id AND f.attempt = a.number"
                   " AND f.fact = ?2)")
          .BindTime(record_time)
          .Bind(FactToJson(fact))
          .Bind(job_id)
          .Bind(attempt)
          .Run());
  return connection.Changes() == 1;
}

absl::StatusOr<Job> LoadJob(SqliteConnection& connection, std::string_view job_id) {
  static const std::string sql = absl::StrCat("SELECT ", kJobColumns, " FROM jobs WHERE id = ?");
  Statement select = connection.Prepare(sql);
  ASSIGN_OR_RETURN(const bool found, select.Bind(job_id).Step());
  if (!found) return JobNotFound();
  return ReadJob(select);
}

absl::StatusOr<Job> LoadJobOf(SqliteConnection& connection, std::string_view caller,
                              std::string_view job_id) {
  static const std::string sql =
      absl::StrCat("SELECT ", kJobColumns, " FROM jobs WHERE id = ? AND caller = ?");
  Statement select = connection.Prepare(sql);
  ASSIGN_OR_RETURN(const bool found, select.Bind(job_id).Bind(caller).Step());
  if (!found) return JobNotFound();
  return ReadJob(select);
}

absl::Status LoadFacts(SqliteConnection& connection, Attempt& attempt) {
  Statement select = connection.Prepare(
      "SELECT record_time, fact FROM facts WHERE job_id = ? AND attempt = ? ORDER BY number");
  select.Bind(attempt.job_id).Bind(attempt.number);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    absl::StatusOr<Fact> fact = FactFromJson(select.Text(1));
    if (!fact.ok()) return BadRow(attempt.job_id, "fact");
    fact->record_time = select.Time(0);
    attempt.facts.push_back(*std::move(fact));
  }
}

absl::StatusOr<std::vector<Attempt>> LoadAttempts(SqliteConnection& connection,
                                                  std::string_view job_id) {
  static const std::string sql =
      absl::StrCat("SELECT ", kAttemptColumns, " FROM attempts WHERE job_id = ? ORDER BY number");
  std::vector<Attempt> attempts;
  Statement select = connection.Prepare(sql);
  select.Bind(job_id);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return attempts;
    ASSIGN_OR_RETURN(Attempt attempt, ReadAttempt(select));
    RETURN_IF_ERROR(LoadFacts(connection, attempt));
    attempts.push_back(std::move(attempt));
  }
}

absl::StatusOr<JobView> LoadView(SqliteConnection& connection, std::string_view job_id) {
  JobView view;
  ASSIGN_OR_RETURN(view.job, LoadJob(connection, job_id));
  ASSIGN_OR_RETURN(view.attempts, LoadAttempts(connection, job_id));
  return view;
}

}  // namespace lumaedit
