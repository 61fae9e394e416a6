// Rows of jobs, transitions, attempts and facts <-> the product's values. Runs inside a transaction
// of the caller's. A row that cannot be read is DATA_LOSS naming the job, never its content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/job/job.h"
#include "server/job/job_store.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

// The columns that ReadJob expects, from column 0; to be put after SELECT. `jobs` has no alias.
extern const char kJobColumns[];

// The columns that ReadTransition expects, from column 0; the job's id is the first.
extern const char kTransitionColumns[];
inline constexpr int kTransitionColumnCount = 15;

// The columns that ReadAttempt expects, from column 0. `attempts` has no alias.
extern const char kAttemptColumns[];
inline constexpr int kAttemptColumnCount = 9;

absl::StatusOr<Job> ReadJob(const Statement& row);
absl::StatusOr<JobTransition> ReadTransition(const Statement& row);
absl::StatusOr<Attempt> ReadAttempt(const Statement& row);  // without its facts

// From two columns, `column` and the next: source_length, duration_basis. False: out of range.
bool ReadSourceLength(const Statement& row, int column, SourceLength& length);

// In which windows a job's charge is counted.
struct BudgetWindows {
  absl::Time window_start;
  absl::Time day_start;
};

absl::Status InsertJobRow(SqliteConnection& connection, const Job& job,
                          const BudgetWindows& windows);
// What may change after submission; ALREADY_EXISTS: the upstream id is another job's.
absl::Status UpdateJobRow(SqliteConnection& connection, const Job& job);
absl::Status InsertTransitionRow(SqliteConnection& connection, const Job& job,
                                 const Transition& transition);
// `blocks`: no equal payload is sent while it is in doubt. ALREADY_EXISTS: another one blocks it.
absl::Status InsertAttemptRow(SqliteConnection& connection, const std::string& caller,
                              const Attempt& attempt, bool blocks);
// False: an equal fact, but for its time, is there already.
absl::StatusOr<bool> InsertFactRow(SqliteConnection& connection, const std::string& job_id,
                                   int attempt, const Fact& fact, absl::Time record_time);

// NOT_FOUND kJobNotFound.
absl::StatusOr<Job> LoadJob(SqliteConnection& connection, std::string_view job_id);
// The same for another caller's job as for a missing one.
absl::StatusOr<Job> LoadJobOf(SqliteConnection& connection, std::string_view caller,
                              std::string_view job_id);
absl::StatusOr<std::vector<Attempt>> LoadAttempts(SqliteConnection& connection,
                                                  std::string_view job_id);
absl::Status LoadFacts(SqliteConnection& connection, Attempt& attempt);
absl::StatusOr<JobView> LoadView(SqliteConnection& connection, std::string_view job_id);

absl::Status JobNotFound();

}  // namespace lumaedit
