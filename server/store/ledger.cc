#include "server/store/ledger.h"

#include "absl/strings/str_cat.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

constexpr char kAllCallers[] = "";

absl::Status AddToBudget(SqliteConnection& connection, std::string_view caller,
                         absl::Time window_start, const Charge& charge, int sign) {
  const std::int64_t amount = sign * charge.amount.max_usd_micros;
  const auto amount_if = [&](ChargeState state) { return charge.state == state ? amount : 0; };
  return connection
      .Prepare(
          "INSERT INTO budgets (caller, window_start, reserved, incurred, uncertain)"
          " VALUES (?, ?, ?, ?, ?) ON CONFLICT (caller, window_start) DO UPDATE SET"
          " reserved = reserved + excluded.reserved,"
          " incurred = incurred + excluded.incurred,"
          " uncertain = uncertain + excluded.uncertain")
      .Bind(caller)
      .Bind(absl::ToUnixMicros(window_start))
      .Bind(amount_if(ChargeState::kReserved))
      .Bind(amount_if(ChargeState::kIncurred))
      .Bind(amount_if(ChargeState::kUncertain))
      .Run();
}

absl::Status Add(SqliteConnection& connection, const std::string& caller,
                 const BudgetWindows& windows, const Charge& charge, int sign) {
  if (charge.state == ChargeState::kReleased || charge.amount.max_usd_micros == 0) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(AddToBudget(connection, caller, windows.window_start, charge, sign));
  return AddToBudget(connection, kAllCallers, windows.day_start, charge, sign);
}

}  // namespace

absl::StatusOr<std::int64_t> RaiseChange(SqliteConnection& connection, const std::string& caller) {
  Statement raise = connection.Prepare(
      "INSERT INTO callers (caller, change) VALUES (?, 1)"
      " ON CONFLICT (caller) DO UPDATE SET change = change + 1 RETURNING change");
  ASSIGN_OR_RETURN(const bool row, raise.Bind(caller).Step());
  if (!row) return absl::InternalError("the change number was not raised");
  const std::int64_t change = raise.Int(0);
  RETURN_IF_ERROR(raise.Run());
  return change;
}

absl::StatusOr<std::int64_t> ReadNewestChange(SqliteConnection& connection,
                                              const std::string& caller) {
  Statement select = connection.Prepare("SELECT change FROM callers WHERE caller = ?");
  ASSIGN_OR_RETURN(const bool row, select.Bind(caller).Step());
  return row ? select.Int(0) : 0;
}

absl::StatusOr<Budget> ReadBudget(SqliteConnection& connection, const std::string& caller,
                                  absl::Time window_start) {
  Statement select = connection.Prepare(
      "SELECT reserved, incurred, uncertain FROM budgets WHERE caller = ? AND window_start = ?");
  select.Bind(caller).Bind(absl::ToUnixMicros(window_start));
  ASSIGN_OR_RETURN(const bool row, select.Step());
  Budget budget;
  if (!row) return budget;
  budget.reserved_usd_micros = select.Int(0);
  budget.incurred_usd_micros = select.Int(1);
  budget.uncertain_usd_micros = select.Int(2);
  return budget;
}

absl::Status CheckLimits(SqliteConnection& connection, const std::vector<SpendLimit>& limits,
                         const Charge& charge) {
  for (const SpendLimit& limit : limits) {
    ASSIGN_OR_RETURN(const Budget budget, ReadBudget(connection, limit.caller, limit.window_start));
    const std::int64_t used =
        budget.reserved_usd_micros + budget.incurred_usd_micros + budget.uncertain_usd_micros;
    if (charge.amount.max_usd_micros <= limit.limit_usd_micros - used) continue;
    ErrorDetail detail;
    detail.reason = ErrorReason::kBudgetExceeded;
    const bool is_own = !limit.caller.empty();
    detail.metadata = {{"limit_usd_micros", absl::StrCat(limit.limit_usd_micros)},
                       {"scope", is_own ? "caller" : "all_callers"}};
    // The sum over all callers tells one of them what the others spend.
    if (is_own) detail.metadata["used_usd_micros"] = absl::StrCat(used);
    return MakeError(absl::StatusCode::kResourceExhausted, std::move(detail),
                     is_own
                         ? "the job may cost more than is left of the caller's budget; GetBudget "
                           "shows it"
                         : "the job may cost more than is left of what all callers together may "
                           "spend today (UTC); who runs the gateway can raise it");
  }
  return absl::OkStatus();
}

absl::Status CountCharge(SqliteConnection& connection, const std::string& caller,
                         const BudgetWindows& windows, const Charge& charge) {
  return Add(connection, caller, windows, charge, 1);
}

absl::Status MoveCharge(SqliteConnection& connection, const Job& job, const Charge& from,
                        const Charge& to) {
  if (from.state == to.state && from.amount.max_usd_micros == to.amount.max_usd_micros) {
    return absl::OkStatus();
  }
  BudgetWindows windows;
  {
    Statement select =
        connection.Prepare("SELECT budget_window, budget_day FROM jobs WHERE id = ?");
    ASSIGN_OR_RETURN(const bool row, select.Bind(job.id).Step());
    if (!row) return JobNotFound();
    windows = {absl::FromUnixMicros(select.Int(0)), absl::FromUnixMicros(select.Int(1))};
  }
  RETURN_IF_ERROR(Add(connection, job.caller, windows, from, -1));
  return Add(connection, job.caller, windows, to, 1);
}

}  // namespace lumaedit
