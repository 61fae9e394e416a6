#include "server/store/job_purge.h"

#include <string>
#include <utility>
#include <vector>

#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

struct EndedJob {
  std::string id;
  std::string caller;
};

absl::StatusOr<std::vector<EndedJob>> FindEnded(SqliteConnection& connection,
                                                absl::Time ended_before, int limit) {
  // What a person has bound stays while any job is in doubt: that its record is taken says that the
  // record may be the other's (job/fit_rules.h). What was sent with an equal payload stays too: its
  // record would be nobody's, and the other's.
  Statement select = connection.Prepare(
      // Named, joined in this order and kept, so that neither all jobs nor all attempts are read.
      "WITH doubt AS MATERIALIZED (SELECT o.fingerprint FROM jobs d INDEXED BY jobs_live"
      " CROSS JOIN attempts o ON o.job_id = d.id WHERE d.state < 7 AND d.state IN (2, 3, 4))"
      " SELECT id, caller FROM jobs WHERE end_time IS NOT NULL AND end_time < ? AND state >= 7"
      " AND NOT (EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = jobs.id AND a.by_hand <> 0)"
      " AND EXISTS (SELECT 1 FROM doubt))"
      " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = jobs.id"
      " AND a.fingerprint IN (SELECT fingerprint FROM doubt))"
      " ORDER BY end_time LIMIT ?");
  select.Bind(absl::ToUnixMicros(ended_before)).Bind(limit);
  std::vector<EndedJob> ended;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return ended;
    ended.push_back({select.Text(0), select.Text(1)});
  }
}

}  // namespace

absl::StatusOr<int> PurgeJobs(SqliteConnection& connection, absl::Time ended_before,
                              absl::Time requested_before, int limit) {
  ASSIGN_OR_RETURN(const std::vector<EndedJob> ended, FindEnded(connection, ended_before, limit));
  for (const EndedJob& job : ended) {
    // A watcher of all jobs that asks from before this change must hear that it missed something.
    RETURN_IF_ERROR(connection
                        .Prepare("UPDATE callers SET purged_change = max(purged_change,"
                                 " (SELECT coalesce(max(change), 0) FROM transitions"
                                 " WHERE job_id = ?)) WHERE caller = ?")
                        .Bind(job.id)
                        .Bind(job.caller)
                        .Run());
    // Labels, transitions, attempts and facts go with it: ON DELETE CASCADE.
    RETURN_IF_ERROR(connection.Prepare("DELETE FROM jobs WHERE id = ?").Bind(job.id).Run());
  }
  RETURN_IF_ERROR(
      connection
          .Prepare("DELETE FROM request_ids WHERE (caller, request_id) IN"
                   " (SELECT caller, request_id FROM request_ids r WHERE r.request_time < ?"
                   " AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = r.job_id) LIMIT ?)")
          .Bind(absl::ToUnixMicros(requested_before))
          .Bind(limit)
          .Run());
  return static_cast<int>(ended.size());
}

}  // namespace lumaedit
