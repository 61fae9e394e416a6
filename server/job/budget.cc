#include "server/job/budget.h"

#include "absl/time/civil_time.h"

namespace lumaedit {

BudgetPeriod PeriodOf(BudgetWindow window, absl::Time time) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  if (window == BudgetWindow::kDay) {
    const absl::CivilDay day = absl::ToCivilDay(time, utc);
    return {absl::FromCivil(day, utc), absl::FromCivil(day + 1, utc)};
  }
  const absl::CivilMonth month = absl::ToCivilMonth(time, utc);
  return {absl::FromCivil(month, utc), absl::FromCivil(month + 1, utc)};
}

std::optional<SpendLimit> CallerLimit(const BudgetSettings& settings, const std::string& caller,
                                      absl::Time now) {
  if (!settings.limit_usd_micros) return std::nullopt;
  return SpendLimit{caller, PeriodOf(settings.window, now).start, *settings.limit_usd_micros};
}

std::optional<SpendLimit> DailyLimit(const BudgetSettings& settings, absl::Time now) {
  if (!settings.daily_limit_usd_micros) return std::nullopt;
  return SpendLimit{"", PeriodOf(BudgetWindow::kDay, now).start, *settings.daily_limit_usd_micros};
}

}  // namespace lumaedit
