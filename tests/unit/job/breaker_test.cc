#include "server/job/breaker.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

class BreakerTest : public testing::Test {
 protected:
  absl::Duration Pause() const { return breaker_.hold_until() - now_; }
  void PassPause() { now_ = breaker_.hold_until(); }

  Breaker breaker_{Breaker::Settings{}};
  absl::Duration now_ = absl::Seconds(100);
};

TEST_F(BreakerTest, OneUnclearAnswerMakesItCareful) {
  EXPECT_EQ(breaker_.Limit(8), 8);
  breaker_.OnUnclear(now_);
  EXPECT_EQ(breaker_.Limit(8), 1);
  EXPECT_TRUE(breaker_.MaySend(now_));
  breaker_.OnClear();
  EXPECT_EQ(breaker_.Limit(8), 8);
}

TEST_F(BreakerTest, ThreeInARowPauseAndProbesDouble) {
  breaker_.OnUnclear(now_);
  breaker_.OnUnclear(now_);
  breaker_.OnUnclear(now_);
  const int seconds[] = {30, 60, 120, 240, 300, 300};
  for (const int pause : seconds) {
    EXPECT_EQ(Pause(), absl::Seconds(pause));
    EXPECT_FALSE(breaker_.MaySend(now_));
    PassPause();
    EXPECT_TRUE(breaker_.MaySend(now_));
    EXPECT_EQ(breaker_.Limit(8), 1);
    breaker_.OnUnclear(now_);
  }
  breaker_.OnClear();
  breaker_.OnUnclear(now_);
  PassPause();
  breaker_.OnUnclear(now_);
  EXPECT_TRUE(breaker_.MaySend(now_));
  breaker_.OnUnclear(now_);
  EXPECT_EQ(Pause(), absl::Seconds(30));
}

// Eight were in flight when the upstream broke: one outage, one pause.
TEST_F(BreakerTest, AnswersDuringAPauseDoNotLengthenIt) {
  for (int i = 0; i < 8; ++i) breaker_.OnUnclear(now_);
  EXPECT_EQ(Pause(), absl::Seconds(30));
  Breaker refused{Breaker::Settings{}};
  for (int i = 0; i < 8; ++i) refused.OnEveryoneRefused(now_);
  EXPECT_EQ(refused.hold_until() - now_, absl::Minutes(1));
}

TEST_F(BreakerTest, EveryoneRefusedPausesLonger) {
  for (const int minutes : {1, 2, 4, 5, 5}) {
    breaker_.OnEveryoneRefused(now_);
    EXPECT_EQ(Pause(), absl::Minutes(minutes));
    EXPECT_EQ(breaker_.Limit(8), 1);
    PassPause();
  }
  breaker_.OnEveryoneRefused(now_);
  breaker_.ForgetRefusal();
  EXPECT_TRUE(breaker_.MaySend(now_));
  breaker_.OnEveryoneRefused(now_);
  EXPECT_EQ(Pause(), absl::Minutes(1));
}

// A changed key ends the pause of a refused one, not that of an outage.
TEST_F(BreakerTest, ANewKeyLeavesDoubtsAsTheyAre) {
  for (int i = 0; i < 3; ++i) breaker_.OnUnclear(now_);
  breaker_.OnEveryoneRefused(now_);
  EXPECT_TRUE(breaker_.IsRefused(now_));
  EXPECT_EQ(Pause(), absl::Minutes(1));
  breaker_.ForgetRefusal();
  EXPECT_FALSE(breaker_.IsRefused(now_));
  EXPECT_EQ(Pause(), absl::Seconds(30));
  EXPECT_EQ(breaker_.Limit(8), 1);
}

// The two kinds of pause double each by itself.
TEST_F(BreakerTest, PausesOfOneKindDoNotLengthenThoseOfTheOther) {
  for (int i = 0; i < 6; ++i) {
    breaker_.OnUnclear(now_);
    if (i >= 2) PassPause();
  }
  breaker_.OnEveryoneRefused(now_);
  EXPECT_EQ(Pause(), absl::Minutes(1));
}

}  // namespace
}  // namespace lumaedit
