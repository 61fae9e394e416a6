// A caller's budget: its windows and the limit that a new job is held to (protocol.md section 5).
// Pure; any thread. What is used is counted by the store, in the job's own transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/job/job_store.h"

namespace lumaedit {

enum class BudgetWindow { kDay, kMonth };  // of the calendar, UTC

struct BudgetSettings {
  std::optional<std::int64_t> limit_usd_micros;  // of every caller; unset: no limit
  BudgetWindow window = BudgetWindow::kMonth;
  std::optional<std::int64_t> daily_limit_usd_micros =
      std::nullopt;  // of all callers together; unset: no limit
};

struct BudgetPeriod {
  absl::Time start;  // inclusive
  absl::Time end;    // exclusive
};

// The window that `time` lies in.
BudgetPeriod PeriodOf(BudgetWindow window, absl::Time time);

// The limit on the caller's own use at `now`; unset: none.
std::optional<SpendLimit> CallerLimit(const BudgetSettings& settings, const std::string& caller,
                                      absl::Time now);

// The limit on all callers together in the day of `now`; unset: none.
std::optional<SpendLimit> DailyLimit(const BudgetSettings& settings, absl::Time now);

}  // namespace lumaedit
