// What the JobStore reads about jobs, each inside a transaction of the caller's. The meaning and
// the errors are those of the method of the same purpose in server/job/job_store.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/job/job_store.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

absl::StatusOr<JobPage> ReadJobPage(SqliteConnection& connection, const std::string& caller,
                                    const JobFilter& filter, const std::optional<JobCursor>& after,
                                    int limit);

absl::StatusOr<std::vector<Transition>> ReadTransitions(SqliteConnection& connection,
                                                        const std::string& caller,
                                                        const std::string& job_id, int after,
                                                        int limit);

absl::StatusOr<std::vector<JobTransition>> ReadChanges(SqliteConnection& connection,
                                                       const std::string& caller,
                                                       std::int64_t after, int limit);

absl::StatusOr<std::optional<GenerationOrigin>> ReadOriginOfGeneration(
    SqliteConnection& connection, const std::string& generation_id);

absl::StatusOr<std::vector<LiveJob>> ReadLiveJobs(SqliteConnection& connection,
                                                  const std::string& after_id, int limit);

absl::StatusOr<std::vector<UnboundAttempt>> ReadUnboundAttempts(SqliteConnection& connection,
                                                                const std::string& account);

absl::StatusOr<std::vector<OwnedId>> ReadOwnedIds(SqliteConnection& connection,
                                                  const std::vector<std::string>& upstream_ids);

absl::StatusOr<std::vector<LiveJob>> ReadExpiredJobs(SqliteConnection& connection,
                                                     absl::Time ended_after,
                                                     const std::string& after_id, int limit);

}  // namespace lumaedit
