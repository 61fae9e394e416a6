// What the JobStore writes about jobs, each inside a transaction of the caller's. The meaning and
// the errors are those of the method of the same purpose in server/job/job_store.h.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/job/job_store.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

// `now` is the wall time that transitions of this transaction are recorded with.
absl::StatusOr<InsertResult> InsertJob(SqliteConnection& connection, const NewJob& new_job,
                                       absl::Time now);

absl::StatusOr<Change> DecideJob(SqliteConnection& connection, const std::string& job_id,
                                 const Lease* lease, DecideFunction decide, absl::Time now);

absl::StatusOr<Change> SealAttempt(SqliteConnection& connection, const Lease& lease,
                                   const Attempt& attempt, absl::Time now);

absl::Status AddFact(SqliteConnection& connection, const std::string& job_id, int attempt,
                     const Fact& fact, bool ended, absl::Time now);

// The job of a request id; FAILED_PRECONDITION kRequestIdRetired; NOT_FOUND: free.
absl::StatusOr<Job> LoadJobOfRequest(SqliteConnection& connection, const std::string& caller,
                                     const std::string& request_id);

}  // namespace lumaedit
