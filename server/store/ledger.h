// A caller's counters: the change number and the money. Each runs inside the transaction that
// writes the transition or the charge, so that they commit together (protocol.md sections 5 and 6).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/job/job_store.h"
#include "server/store/job_rows.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

// The caller's next change number; the caller's row is made when it is missing.
absl::StatusOr<std::int64_t> RaiseChange(SqliteConnection& connection, const std::string& caller);

absl::StatusOr<std::int64_t> ReadNewestChange(SqliteConnection& connection,
                                              const std::string& caller);

// `caller` empty: of all callers.
absl::StatusOr<Budget> ReadBudget(SqliteConnection& connection, const std::string& caller,
                                  absl::Time window_start);

// RESOURCE_EXHAUSTED kBudgetExceeded for the first limit that `charge` would break.
absl::Status CheckLimits(SqliteConnection& connection, const std::vector<SpendLimit>& limits,
                         const Charge& charge);

absl::Status CountCharge(SqliteConnection& connection, const std::string& caller,
                         const BudgetWindows& windows, const Charge& charge);

// Moves what is counted for the job from one charge to the other, in the windows in which it was
// reserved.
absl::Status MoveCharge(SqliteConnection& connection, const Job& job, const Charge& from,
                        const Charge& to);

}  // namespace lumaedit
