#include "server/job/budget.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

absl::Time Utc(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

TEST(Budget, WindowsAreThoseOfTheCalendarInUtc) {
  const BudgetPeriod month = PeriodOf(BudgetWindow::kMonth, Utc("2028-02-29T23:59:59.999999Z"));
  EXPECT_EQ(month.start, Utc("2028-02-01T00:00:00Z"));
  EXPECT_EQ(month.end, Utc("2028-03-01T00:00:00Z"));
  const BudgetPeriod day = PeriodOf(BudgetWindow::kDay, Utc("2027-12-31T23:59:59.999999Z"));
  EXPECT_EQ(day.start, Utc("2027-12-31T00:00:00Z"));
  EXPECT_EQ(day.end, Utc("2028-01-01T00:00:00Z"));
  // The end belongs to the next one.
  EXPECT_EQ(PeriodOf(BudgetWindow::kDay, day.end).start, day.end);
  EXPECT_EQ(PeriodOf(BudgetWindow::kMonth, month.end).start, month.end);
}

TEST(Budget, ACallerIsLimitedOnlyWhenALimitIsSet) {
  const absl::Time now = Utc("2027-05-17T12:00:00Z");
  EXPECT_FALSE(CallerLimit({}, "a", now).has_value());
  const auto limit = CallerLimit({7'560'000, BudgetWindow::kMonth}, "a", now);
  ASSERT_TRUE(limit.has_value());
  EXPECT_EQ(limit->caller, "a");
  EXPECT_EQ(limit->window_start, Utc("2027-05-01T00:00:00Z"));
  EXPECT_EQ(limit->limit_usd_micros, 7'560'000);
  EXPECT_EQ(CallerLimit({0, BudgetWindow::kDay}, "a", now)->limit_usd_micros, 0);
}

}  // namespace
}  // namespace lumaedit
