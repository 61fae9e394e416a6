#include "server/job/pace.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

constexpr RateLimit kTwoAMinute{.limit = 2, .interval = absl::Minutes(1)};

class PaceTest : public testing::Test {
 protected:
  // How many POSTs go out within `time` when there is always one to send.
  int Send(absl::Duration time) {
    const absl::Duration end = now_ + time;
    int sent = 0;
    while (sent < 100'000) {
      now_ = std::max(now_, pace_.NextAt(now_));
      if (now_ >= end) break;
      pace_.OnSent(now_);
      now_ += absl::Milliseconds(1);
      ++sent;
    }
    now_ = end;
    return sent;
  }

  Pace pace_{Pace::Settings{}};
  absl::Duration now_ = absl::Seconds(1000);
};

TEST_F(PaceTest, UnlimitedUntilTold) {
  EXPECT_FALSE(pace_.is_limited());
  EXPECT_LE(pace_.NextAt(now_), now_);
  pace_.OnSent(now_);
  EXPECT_LE(pace_.NextAt(now_), now_);
}

TEST_F(PaceTest, A429WithoutALimitOnlyHolds) {
  pace_.OnRateLimited(std::nullopt, absl::Seconds(10), now_);
  EXPECT_EQ(pace_.NextAt(now_), now_ + absl::Seconds(10));
  now_ += absl::Seconds(10);
  EXPECT_LE(pace_.NextAt(now_), now_);
  EXPECT_FALSE(pace_.is_limited());
}

TEST_F(PaceTest, NoWindowHoldsMoreThanTheLimit) {
  pace_.OnSent(now_);
  pace_.OnRateLimited(kTwoAMinute, absl::Seconds(20), now_);
  EXPECT_EQ(pace_.NextAt(now_), now_ + absl::Seconds(30));
  now_ += absl::Seconds(25);
  EXPECT_EQ(Send(absl::Minutes(1)), 2);
  EXPECT_EQ(Send(absl::Minutes(1)), 2);
}

TEST_F(PaceTest, AHoldIsNeverShortened) {
  pace_.OnRateLimited(std::nullopt, absl::Seconds(60), now_);
  pace_.OnRateLimited(std::nullopt, absl::Seconds(10), now_);
  EXPECT_EQ(pace_.NextAt(now_), now_ + absl::Seconds(60));
}

TEST_F(PaceTest, RecoversSlowlyAndForgetsInTheEnd) {
  pace_.OnRateLimited(kTwoAMinute, absl::Seconds(1), now_);
  now_ += absl::Minutes(5) + absl::Seconds(1);
  pace_.NextAt(now_);
  EXPECT_GT(pace_.gap(), absl::Seconds(22));
  EXPECT_LT(pace_.gap(), absl::Seconds(25));
  // A new 429 begins anew.
  pace_.OnRateLimited(kTwoAMinute, absl::Seconds(1), now_);
  EXPECT_EQ(pace_.gap(), absl::Seconds(30));
  now_ += absl::Hours(2);
  pace_.NextAt(now_);
  EXPECT_FALSE(pace_.is_limited());
}

TEST_F(PaceTest, A429ThatTellsNothingSlowsAKnownPaceOnce) {
  pace_.OnRateLimited(kTwoAMinute, absl::Seconds(1), now_);
  now_ += absl::Minutes(20);
  pace_.NextAt(now_);
  const absl::Duration before = pace_.gap();
  ASSERT_LT(before, absl::Seconds(15));
  for (int i = 0; i < 8; ++i) pace_.OnRateLimited(std::nullopt, absl::Seconds(10), now_);
  EXPECT_EQ(pace_.gap(), before * 2);
}

}  // namespace
}  // namespace lumaedit
