// The walk over the list after a restart, and now and then.
#include "server/job/list_walk.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

constexpr absl::Duration kStart = absl::Seconds(1000);

TEST(ListWalk, GoesFastWhileItFinds) {
  ListWalk walk;
  std::size_t unplaced = 1000;
  absl::Duration now = kStart;
  ASSERT_EQ(walk.Due(now, unplaced), now);
  int offset = 0;
  while (unplaced > 0) {
    ASSERT_EQ(walk.Due(now, unplaced), now);
    const auto stretch = walk.Next(now, unplaced, 100);
    EXPECT_EQ(stretch.offset, offset);
    EXPECT_EQ(walk.SeeksUntil(), now + absl::Seconds(5));
    offset += 100;
    unplaced -= 100;
    walk.Read(stretch, {.read = 100, .at_end = false, .found = 100}, unplaced, now);
  }
  EXPECT_EQ(offset, 1000);
  EXPECT_EQ(walk.SeeksUntil(), -absl::InfiniteDuration());
  EXPECT_EQ(walk.Due(now, 0), absl::InfiniteDuration());
}

TEST(ListWalk, SeveralPagesAtATime) {
  ListWalk walk;
  const auto first = walk.Next(kStart, 1000, 20);
  // How long pages may be is not known yet.
  EXPECT_EQ(walk.Due(kStart, 1000), absl::InfiniteDuration());
  walk.Read(first, {.read = 20, .at_end = false, .found = 20}, 980, kStart);
  int in_flight = 0;
  while (walk.Due(kStart, 980) == kStart) {
    EXPECT_EQ(walk.Next(kStart, 980, 100).offset, 20 + 100 * in_flight);
    ++in_flight;
  }
  EXPECT_GT(in_flight, 4);
  EXPECT_LE(in_flight, 8);
}

TEST(ListWalk, SlowWhereThereIsLittle) {
  ListWalk walk;
  absl::Duration now = kStart;
  int pages = 0;
  while (now < kStart + absl::Seconds(60)) {
    const absl::Duration due = walk.Due(now, 30);
    ASSERT_NE(due, absl::InfiniteDuration());
    now = std::max(now, due);
    const auto stretch = walk.Next(now, 30, 100);
    walk.Read(stretch, {.read = 100, .at_end = false, .found = 0}, 30, now);
    ++pages;
  }
  EXPECT_EQ(walk.SeeksUntil(), -absl::InfiniteDuration());
  EXPECT_GT(pages, 25);
  EXPECT_LT(pages, 36);
}

TEST(ListWalk, EndsWithTheListAndRests) {
  ListWalk walk;
  const auto stretch = walk.Next(kStart, 30, 100);
  walk.Read(stretch, {.read = 40, .at_end = true, .found = 0}, 30, kStart);
  EXPECT_EQ(walk.SeeksUntil(), -absl::InfiniteDuration());
  EXPECT_EQ(walk.Due(kStart, 30), kStart + absl::Minutes(10));
  // Others that are missing are looked for sooner.
  EXPECT_EQ(walk.Due(kStart, 40), kStart + absl::Seconds(10));
  EXPECT_EQ(walk.Due(kStart, 3), absl::InfiniteDuration());
}

TEST(ListWalk, WhatAPageDidNotGetToIsReadNext) {
  ListWalk walk;
  const auto first = walk.Next(kStart, 500, 100);
  walk.Read(first, {.read = 30, .at_end = false, .found = 30}, 470, kStart);
  const auto rest = walk.Next(kStart, 470, 100);
  EXPECT_EQ(rest.offset, 30);
  EXPECT_EQ(rest.limit, 70);
}

// One record may be what fails a page; what stands behind it is not given up for it.
TEST(ListWalk, WhatFailsIsReadInHalvesAndThenPassedOver) {
  ListWalk walk;
  const auto first = walk.Next(kStart, 500, 4);
  EXPECT_FALSE(walk.Failed(first, 500, kStart));
  const auto half = walk.Next(kStart, 500, 4);
  EXPECT_EQ(half.offset, 0);
  EXPECT_EQ(half.limit, 2);
  EXPECT_FALSE(walk.Failed(half, 500, kStart));
  const auto one = walk.Next(kStart, 500, 4);
  EXPECT_EQ(one.offset, 0);
  EXPECT_EQ(one.limit, 1);
  EXPECT_TRUE(walk.Failed(one, 500, kStart));
  EXPECT_EQ(walk.Next(kStart, 500, 4).offset, 1);
  // Pages have become shorter.
  const auto shorter = walk.Next(kStart, 500, 1);
  EXPECT_EQ(shorter.offset, 2);
  EXPECT_EQ(shorter.limit, 1);
  EXPECT_EQ(walk.Next(kStart, 500, 4).offset, 3);
  EXPECT_EQ(walk.Next(kStart, 500, 4).offset, 4);
}

TEST(ListWalk, WhatIsNotReadIsReadAgainAsItIs) {
  ListWalk walk;
  walk.NotRead(walk.Next(kStart, 500, 100));
  const auto again = walk.Next(kStart, 500, 100);
  EXPECT_EQ(again.offset, 0);
  EXPECT_EQ(again.limit, 100);
}

TEST(ListWalk, EndsWithAFailureToo) {
  ListWalk walk;
  const auto first = walk.Next(kStart, 500, 1);
  walk.Read(first, {.read = 1, .at_end = false, .found = 1}, 499, kStart);
  const auto left = walk.Next(kStart, 499, 1);
  const auto last = walk.Next(kStart, 499, 100);
  walk.Read(last, {.read = 40, .at_end = true, .found = 40}, 459, kStart);
  EXPECT_TRUE(walk.Failed(left, 459, kStart));
  EXPECT_EQ(walk.Due(kStart, 459), kStart + absl::Minutes(10));
}

TEST(ListWalk, AListThatFailsFromSomewhereOnEndsThere) {
  ListWalk walk;
  absl::Duration now = kStart;
  int failures = 0;
  while (walk.Due(now, 500) < kStart + absl::Minutes(2)) {
    now = std::max(now, walk.Due(now, 500));
    walk.Failed(walk.Next(now, 500, 100), 500, now);
    ASSERT_LT(++failures, 30);
  }
  EXPECT_EQ(walk.Due(now, 500), now + absl::Minutes(10));
}

TEST(ListWalk, WhoIsLostLongAfterTheLastPageIsLookedForFromTheHead) {
  ListWalk walk;
  const auto first = walk.Next(kStart, 30, 100);
  walk.Failed(first, 30, kStart);
  // All were found otherwise.
  EXPECT_EQ(walk.Due(kStart, 0), absl::InfiniteDuration());
  const absl::Duration later = kStart + absl::Hours(1);
  EXPECT_EQ(walk.Due(later, 1), absl::InfiniteDuration());
  ASSERT_EQ(walk.Due(later, 5), later);
  const auto fresh = walk.Next(later, 5, 100);
  EXPECT_EQ(fresh.offset, 0);
  EXPECT_EQ(fresh.limit, 100);
}

TEST(ListWalk, AnAnswerOfBeforeIsForgotten) {
  ListWalk walk;
  const auto old = walk.Next(kStart, 500, 100);
  walk.Reset();
  EXPECT_EQ(walk.Due(kStart, 500), kStart);
  const auto fresh = walk.Next(kStart, 500, 100);
  EXPECT_EQ(fresh.offset, 0);
  walk.Read(old, {.read = 0, .at_end = true, .found = 0}, 500, kStart);
  EXPECT_FALSE(walk.Failed(old, 500, kStart));
  walk.Read(fresh, {.read = 100, .at_end = false, .found = 90}, 410, kStart);
  EXPECT_EQ(walk.Next(kStart, 410, 100).offset, 100);
}

}  // namespace
}  // namespace lumaedit
