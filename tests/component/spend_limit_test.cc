// The limit a day over all callers: protocol.md section 5.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;

// Of the world's usual request: 8 s are two blocks.
constexpr std::int64_t kPrice = 2 * 1'080'000;

WorldOptions Limited(std::int64_t micros) {
  WorldOptions options;
  // Noon, so that no test runs over midnight by itself.
  options.start = absl::FromCivil(absl::CivilHour(2027, 1, 15, 12), absl::UTCTimeZone());
  options.budget.daily_limit_usd_micros = micros;
  return options;
}

absl::StatusOr<Job> Submitted(SteppedWorld& world, const std::string& prompt,
                              const std::string& caller) {
  absl::StatusOr<Job> job = absl::UnknownError("no answer");
  world.service().Submit(world.Request(prompt, caller),
                         Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
                           if (answer.ok()) {
                             job = answer->job;
                           } else {
                             job = answer.status();
                           }
                         }));
  return job;
}

TEST(SpendLimit, IsOverAllCallersAndTellsNobodyOfTheOthers) {
  SteppedWorld world(Limited(2 * kPrice + 1));
  const auto first = Submitted(world, "a", "caller-1");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->quote.max_usd_micros, kPrice);
  ASSERT_TRUE(Submitted(world, "b", "caller-2").ok());
  const absl::Status refused = Submitted(world, "c", "caller-3").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(HasReason(refused, ErrorReason::kBudgetExceeded)) << refused;
  const ErrorDetail detail = DetailOf(refused);
  EXPECT_EQ(detail.metadata.at("scope"), "all_callers");
  EXPECT_EQ(detail.metadata.at("limit_usd_micros"), std::to_string(2 * kPrice + 1));
  EXPECT_EQ(detail.metadata.count("used_usd_micros"), 0u);
  EXPECT_EQ(std::string(refused.message()).find(std::to_string(kPrice)), std::string::npos);
}

TEST(SpendLimit, WhatIsReleasedMayBeSpentAgain) {
  SteppedWorld world(Limited(kPrice));
  world.upstream.usual.upload = absl::Hours(1);
  const auto job = Submitted(world, "a", "caller-1");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_FALSE(Submitted(world, "b", "caller-2").ok());
  EXPECT_EQ(world.Cancel(job->id), CancelResult::kPrevented);
  EXPECT_TRUE(Submitted(world, "c", "caller-2").ok());
  world.Settle();
}

TEST(SpendLimit, ADayIsACalendarDayAndSurvivesARestart) {
  SteppedWorld world(Limited(kPrice));
  ASSERT_TRUE(Submitted(world, "a", "caller-1").ok());
  world.Restart();
  EXPECT_FALSE(Submitted(world, "b", "caller-2").ok());
  world.RunFor(absl::Hours(12) - absl::Seconds(1));
  EXPECT_FALSE(Submitted(world, "c", "caller-2").ok());
  world.RunFor(absl::Seconds(2));
  EXPECT_TRUE(Submitted(world, "d", "caller-2").ok());
}

TEST(SpendLimit, NoLimitIsNoLimit) {
  SteppedWorld world;
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(Submitted(world, "a" + std::to_string(i), "caller-1").ok());
  }
}

}  // namespace
}  // namespace lumaedit
