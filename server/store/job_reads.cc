#include "server/store/job_reads.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/account_rows.h"
#include "server/store/job_rows.h"
#include "server/store/status_macros.h"
#include "server/store/value_json.h"

namespace lumaedit {
namespace {

// The first whole microsecond that is not before `time`: stored times have no finer parts.
std::int64_t CeilMicros(absl::Time time) {
  const std::int64_t floor = absl::ToUnixMicros(time);
  const bool whole =
      floor == std::numeric_limits<std::int64_t>::max() || absl::FromUnixMicros(floor) >= time;
  return whole ? floor : floor + 1;
}

// Bit n for state n, so that one text of a statement serves every filter.
std::int64_t StateMask(const std::vector<JobState>& states) {
  if (states.empty()) return ~std::int64_t{0};
  std::int64_t mask = 0;
  for (const JobState state : states) mask |= std::int64_t{1} << static_cast<int>(state);
  return mask;
}

std::string LabelsToJson(const std::map<std::string, std::string>& labels) {
  boost::json::object object;
  for (const auto& [name, value] : labels) object[name] = value;
  return boost::json::serialize(object);
}

// What both statements have at their end. The upper bound is a row value, so that the index leads
// straight to the page.
struct PageBounds {
  std::int64_t least_time;
  std::int64_t upper_time;
  std::string upper_id;  // exclusive
};

PageBounds BoundsOf(const JobFilter& filter, const std::optional<JobCursor>& after) {
  PageBounds bounds{CeilMicros(filter.created_after), CeilMicros(filter.created_before), ""};
  if (!after) return bounds;
  const std::int64_t cursor_time = absl::ToUnixMicros(after->create_time);
  // (time, "") lies below every job of that time, so the smaller of the two ends the range.
  if (cursor_time < bounds.upper_time) {
    bounds.upper_time = cursor_time;
    bounds.upper_id = after->id;
  }
  return bounds;
}

absl::StatusOr<JobPage> ReadPage(Statement& select, int limit) {
  JobPage page;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return page;
    if (static_cast<int>(page.jobs.size()) == limit) {
      page.has_more = true;
      return page;
    }
    ASSIGN_OR_RETURN(Job job, ReadJob(select));
    page.jobs.push_back(std::move(job));
  }
}

absl::StatusOr<std::vector<LiveJob>> ReadLive(Statement& select) {
  std::vector<LiveJob> live;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return live;
    ASSIGN_OR_RETURN(Job job, ReadJob(select));
    live.push_back({std::move(job.id), std::move(job.caller), job.state,
                    std::move(job.upstream_account), std::move(job.upstream_id), job.create_time,
                    job.state_time, job.accept_time, job.next_attempt_time,
                    job.options.start_within});
  }
}

}  // namespace

absl::StatusOr<JobPage> ReadJobPage(SqliteConnection& connection, const std::string& caller,
                                    const JobFilter& filter, const std::optional<JobCursor>& after,
                                    int limit) {
  const PageBounds bounds = BoundsOf(filter, after);
  if (filter.labels.empty()) {
    static const std::string sql =
        absl::StrCat("SELECT ", kJobColumns,
                     " FROM jobs WHERE jobs.caller = ? AND jobs.create_time >= ?"
                     " AND (jobs.create_time, jobs.id) < (?, ?) AND ((? >> jobs.state) & 1) = 1"
                     " ORDER BY jobs.create_time DESC, jobs.id DESC LIMIT ?");
    Statement select = connection.Prepare(sql);
    select.Bind(caller)
        .Bind(bounds.least_time)
        .Bind(bounds.upper_time)
        .Bind(bounds.upper_id)
        .Bind(StateMask(filter.states))
        .Bind(std::int64_t{limit} + 1);
    return ReadPage(select, limit);
  }
  // Along the jobs of the first label; the others are looked up job by job.
  static const std::string sql = absl::StrCat(
      "SELECT ", kJobColumns,
      " FROM job_labels l CROSS JOIN jobs ON jobs.id = l.job_id"
      " WHERE l.caller = ? AND l.name = ? AND l.value = ? AND l.create_time >= ?"
      " AND (l.create_time, l.job_id) < (?, ?) AND jobs.caller = l.caller"
      " AND ((? >> jobs.state) & 1) = 1 AND NOT EXISTS (SELECT 1 FROM json_each(?) wanted"
      " WHERE NOT EXISTS (SELECT 1 FROM job_labels other WHERE other.job_id = l.job_id"
      " AND other.name = wanted.key AND other.value = wanted.value))"
      " ORDER BY l.create_time DESC, l.job_id DESC LIMIT ?");
  Statement select = connection.Prepare(sql);
  const auto& [name, value] = *filter.labels.begin();
  select.Bind(caller)
      .Bind(name)
      .Bind(value)
      .Bind(bounds.least_time)
      .Bind(bounds.upper_time)
      .Bind(bounds.upper_id)
      .Bind(StateMask(filter.states))
      .Bind(LabelsToJson(filter.labels))
      .Bind(std::int64_t{limit} + 1);
  return ReadPage(select, limit);
}

absl::StatusOr<std::vector<Transition>> ReadTransitions(SqliteConnection& connection,
                                                        const std::string& caller,
                                                        const std::string& job_id, int after,
                                                        int limit) {
  static const std::string sql =
      absl::StrCat("SELECT ", kTransitionColumns,
                   " FROM transitions WHERE job_id = ? AND caller = ? AND sequence > ?"
                   " ORDER BY sequence LIMIT ?");
  std::vector<Transition> transitions;
  {
    Statement select = connection.Prepare(sql);
    select.Bind(job_id).Bind(caller).Bind(after).Bind(limit);
    for (;;) {
      ASSIGN_OR_RETURN(const bool row, select.Step());
      if (!row) break;
      ASSIGN_OR_RETURN(JobTransition read, ReadTransition(select));
      transitions.push_back(std::move(read.transition));
    }
  }
  if (!transitions.empty()) return transitions;
  // None after `after`, or no such job: those are two answers.
  Statement exists = connection.Prepare("SELECT 1 FROM jobs WHERE id = ? AND caller = ?");
  ASSIGN_OR_RETURN(const bool found, exists.Bind(job_id).Bind(caller).Step());
  if (!found) return JobNotFound();
  return transitions;
}

absl::StatusOr<std::vector<JobTransition>> ReadChanges(SqliteConnection& connection,
                                                       const std::string& caller,
                                                       std::int64_t after, int limit) {
  {
    Statement purged = connection.Prepare("SELECT purged_change FROM callers WHERE caller = ?");
    ASSIGN_OR_RETURN(const bool known, purged.Bind(caller).Step());
    if (known && after < purged.Int(0)) {
      return MakeError(
          absl::StatusCode::kOutOfRange, ErrorReason::kTokenTooOld,
          "transitions after this position are no longer kept; list the jobs and begin with the "
          "list's watch_token");
    }
  }
  static const std::string sql =
      absl::StrCat("SELECT ", kTransitionColumns,
                   ", (SELECT options FROM jobs WHERE jobs.id = transitions.job_id)"
                   " FROM transitions WHERE caller = ? AND change > ? ORDER BY change LIMIT ?");
  std::vector<JobTransition> changes;
  Statement select = connection.Prepare(sql);
  select.Bind(caller).Bind(after).Bind(limit);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return changes;
    ASSIGN_OR_RETURN(JobTransition read, ReadTransition(select));
    ASSIGN_OR_RETURN(SubmitOptions options, OptionsFromJson(select.Text(kTransitionColumnCount)));
    read.labels = std::move(options.labels);
    changes.push_back(std::move(read));
  }
}

absl::StatusOr<std::optional<GenerationOrigin>> ReadOriginOfGeneration(
    SqliteConnection& connection, const std::string& generation_id) {
  if (generation_id.empty()) return std::nullopt;
  Statement select = connection.Prepare(
      "SELECT caller, id, source_length, duration_basis FROM jobs"
      " WHERE generation_id = ? AND generation_id <> '' LIMIT 1");
  ASSIGN_OR_RETURN(const bool row, select.Bind(generation_id).Step());
  if (!row) return std::nullopt;
  GenerationOrigin origin{select.Text(0), select.Text(1), {}};
  if (!ReadSourceLength(select, 2, origin.source_length)) {
    return absl::DataLossError(
        absl::StrCat("the stored length of job ", origin.job_id, " cannot be read"));
  }
  return origin;
}

absl::StatusOr<std::vector<LiveJob>> ReadLiveJobs(SqliteConnection& connection,
                                                  const std::string& after_id, int limit) {
  // The condition on the state is that of the index jobs_live, word for word.
  static const std::string sql = absl::StrCat(
      "SELECT ", kJobColumns, " FROM jobs WHERE state < 7 AND id > ? ORDER BY id LIMIT ?");
  Statement select = connection.Prepare(sql);
  select.Bind(after_id).Bind(limit);
  return ReadLive(select);
}

absl::StatusOr<std::vector<UnboundAttempt>> ReadUnboundAttempts(SqliteConnection& connection,
                                                                const std::string& account) {
  static const std::string columns =
      absl::StrCat("SELECT ", kAttemptColumns,
                   ", jobs.caller, jobs.state FROM attempts JOIN jobs ON jobs.id = attempts.job_id"
                   " WHERE attempts.account = ?1 AND ");
  // Each half has an index of its own.
  static const std::string sql =
      absl::StrCat(columns, "attempts.upstream_id = '' AND attempts.not_accepted = 0 UNION ALL ",
                   columns, "attempts.by_hand <> 0 AND attempts.upstream_id <> '' ORDER BY 1, 2");
  std::vector<UnboundAttempt> unbound;
  ASSIGN_OR_RETURN(const std::string name, AccountOf(connection, account));
  Statement select = connection.Prepare(sql);
  select.Bind(name);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return unbound;
    UnboundAttempt item;
    ASSIGN_OR_RETURN(item.attempt, ReadAttempt(select));
    RETURN_IF_ERROR(LoadFacts(connection, item.attempt));
    item.caller = select.Text(kAttemptColumnCount);
    // The table's own check keeps the number within the states.
    item.job_state = static_cast<JobState>(select.Int(kAttemptColumnCount + 1));
    unbound.push_back(std::move(item));
  }
}

absl::StatusOr<std::vector<OwnedId>> ReadOwnedIds(SqliteConnection& connection,
                                                  const std::vector<std::string>& upstream_ids) {
  std::vector<OwnedId> owned;
  for (const std::string& id : upstream_ids) {
    Statement select = connection.Prepare(
        "SELECT upstream_account, create_time, accept_time FROM jobs"
        " WHERE upstream_id = ? AND upstream_id <> '' LIMIT 1");
    ASSIGN_OR_RETURN(const bool row, select.Bind(id).Step());
    if (row) owned.push_back({id, select.Text(0), select.Time(1), select.Time(2)});
  }
  return owned;
}

absl::StatusOr<std::vector<LiveJob>> ReadExpiredJobs(SqliteConnection& connection,
                                                     absl::Time ended_after,
                                                     const std::string& after_id, int limit) {
  // The conditions on state and late_outcome_time are those of the index jobs_expired.
  static const std::string sql =
      absl::StrCat("SELECT ", kJobColumns,
                   " FROM jobs WHERE state = 10 AND late_outcome_time IS NULL AND end_time >= ?"
                   " AND id > ? ORDER BY id LIMIT ?");
  Statement select = connection.Prepare(sql);
  select.Bind(absl::ToUnixMicros(ended_after)).Bind(after_id).Bind(limit);
  return ReadLive(select);
}

}  // namespace lumaedit
