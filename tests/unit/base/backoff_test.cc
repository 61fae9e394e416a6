#include "server/base/backoff.h"

#include <gtest/gtest.h>

#include "tests/fakes/seeded_random.h"

namespace lumaedit {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t NextBits() override { return bits_; }

 private:
  const std::uint64_t bits_;
};

constexpr BackoffRange kRange = {absl::Milliseconds(500), absl::Minutes(5)};

TEST(Backoff, DoublesUpToTheBound) {
  FixedRandom most(~0ULL);
  const absl::Duration tiny = absl::Microseconds(1);
  EXPECT_LT(absl::AbsDuration(BackoffDelay(kRange, 1, most) - absl::Milliseconds(500)), tiny);
  EXPECT_LT(absl::AbsDuration(BackoffDelay(kRange, 2, most) - absl::Seconds(1)), tiny);
  EXPECT_LT(absl::AbsDuration(BackoffDelay(kRange, 5, most) - absl::Seconds(8)), tiny);
  EXPECT_LT(absl::AbsDuration(BackoffDelay(kRange, 20, most) - absl::Minutes(5)), tiny);
}

TEST(Backoff, ALuckyDrawIsNoBusyLoop) {
  FixedRandom least(0);
  EXPECT_EQ(BackoffDelay(kRange, 1, least), absl::Milliseconds(50));
  EXPECT_EQ(BackoffDelay(kRange, 1000, least), absl::Seconds(30));
}

TEST(Backoff, StaysInRangeForAnyCount) {
  SeededRandom random(7);
  for (int failures = -3; failures < 2000; ++failures) {
    const absl::Duration delay = BackoffDelay(kRange, failures, random);
    EXPECT_GE(delay, absl::Milliseconds(50));
    EXPECT_LE(delay, absl::Minutes(5));
  }
}

TEST(Backoff, JitterSpreads) {
  SeededRandom random(7);
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most;
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration delay = BackoffDelay(kRange, 4, random);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_LT(least, absl::Milliseconds(500));
  EXPECT_GT(most, absl::Milliseconds(3900));
}

}  // namespace
}  // namespace lumaedit
