#include "client/cli/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace lumaedit::client::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kMega = 1'000'000;
const absl::Time kStart = absl::FromUnixSeconds(1790000000);

TEST(TransferRateTest, SaysNothingBeforeItKnows) {
  TransferRate rate;
  rate.Start(kStart, 0);
  rate.Set(kStart + absl::Milliseconds(100), kMega);
  EXPECT_EQ(rate.PerSecond(kStart + absl::Milliseconds(100)), std::nullopt);
}

TEST(TransferRateTest, WhatWasThereBeforeIsNoPartOfIt) {
  TransferRate rate;
  rate.Start(kStart, 100 * kMega);
  rate.Set(kStart + absl::Seconds(2), 104 * kMega);
  EXPECT_DOUBLE_EQ(*rate.PerSecond(kStart + absl::Seconds(2)), 2.0 * kMega);
}

TEST(TransferRateTest, FollowsAConnectionThatSlowsDown) {
  TransferRate rate;
  rate.Start(kStart, 0);
  std::int64_t done = 0;
  for (int second = 1; second <= 60; ++second) {
    done += second <= 30 ? 10 * kMega : kMega;
    rate.Set(kStart + absl::Seconds(second), done);
  }
  EXPECT_DOUBLE_EQ(*rate.PerSecond(kStart + absl::Seconds(60)), 1.0 * kMega);
}

TEST(TransferRateTest, ATransferThatStandsStillHasNoRate) {
  TransferRate rate;
  rate.Start(kStart, 0);
  rate.Set(kStart + absl::Seconds(1), kMega);
  EXPECT_NE(rate.PerSecond(kStart + absl::Seconds(2)), std::nullopt);
  EXPECT_EQ(rate.PerSecond(kStart + absl::Seconds(12)), std::nullopt);
}

TEST(ProgressLineTest, ShowsEverythingWhereThereIsRoom) {
  EXPECT_EQ(ProgressLine("take.mp4", 50 * kMega, 200 * kMega, 12.5 * kMega, 100),
            "take.mp4  25%  [######                  ]  50.0 MB/200.0 MB  12.5 MB/s  12s left");
}

TEST(ProgressLineTest, AnUnknownTotalHasNoBar) {
  EXPECT_EQ(ProgressLine("take.mp4", 1500, 0, 2000.0, 100), "take.mp4  1.5 kB  2.0 kB/s");
}

TEST(ProgressLineTest, WholePartsOnlyAndNeverMoreThanTheWidth) {
  for (int columns = 8; columns < 100; ++columns) {
    const std::string line =
        ProgressLine("take.mp4", 50 * kMega, 200 * kMega, 12.5 * kMega, columns);
    EXPECT_LE(line.size(), static_cast<std::size_t>(columns)) << line;
    EXPECT_THAT(line, HasSubstr("take.mp4"));
  }
  // The numbers matter more than the bar.
  EXPECT_THAT(ProgressLine("take.mp4", 50 * kMega, 200 * kMega, 12.5 * kMega, 40),
              testing::AllOf(HasSubstr("50.0 MB"), Not(HasSubstr("["))));
}

TEST(ProgressLineTest, AWrongTotalIsNoMoreThanAllOfIt) {
  EXPECT_THAT(ProgressLine("a", 300, 200, std::nullopt, 100), HasSubstr("100%"));
}

class ProgressBarTest : public ::testing::Test {
 protected:
  ProgressBarTest() { EXPECT_EQ(pipe(ends_), 0); }
  ~ProgressBarTest() override { close(ends_[0]); }

  std::string Printed() {
    close(ends_[1]);
    std::string text(4096, '\0');
    const ssize_t size = read(ends_[0], text.data(), text.size());
    text.resize(size < 0 ? 0 : size);
    return text;
  }

  int ends_[2];
};

TEST_F(ProgressBarTest, ThroughAPipeItSaysTheEndAndNoControlCharacters) {
  {
    ProgressBar bar({.what = "a\x1b[2Jb.mp4", .total = 2 * kMega, .descriptor = ends_[1]});
    EXPECT_EQ(bar.line(), nullptr);
    bar.Start(0);
    bar.Set(kMega);
    bar.Set(2 * kMega);
    bar.Finish();
  }
  EXPECT_EQ(Printed(), "a [2Jb.mp4  2.0 MB in 0s\n");
}

TEST_F(ProgressBarTest, QuietIsQuiet) {
  {
    ProgressBar bar({.what = "a", .total = 10, .descriptor = ends_[1], .quiet = true});
    bar.Set(10);
    bar.Finish();
  }
  EXPECT_EQ(Printed(), "");
}

}  // namespace
}  // namespace lumaedit::client::cli
