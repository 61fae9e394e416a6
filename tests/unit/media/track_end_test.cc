#include "server/media/track_end.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

TEST(TrackEnd, IsTheEndOfTheLastFrameShown) {
  TrackEnd track({1, 12288});
  for (std::int64_t pts : {0, 1024, 512, 2048, 1536}) EXPECT_TRUE(track.Add(pts, 512));
  EXPECT_EQ(track.start(), 0);
  EXPECT_EQ(track.end(), 2560);
  EXPECT_TRUE(track.end_is_exact());
  EXPECT_EQ(track.frames(), 5);
}

TEST(TrackEnd, ALastFrameOfUnknownLengthIsAsLongAsTheOneBefore) {
  TrackEnd track({1, 1000});
  for (std::int64_t pts : {0, 40, 120, 80}) EXPECT_TRUE(track.Add(pts, 0));
  EXPECT_FALSE(track.end_is_exact());
  EXPECT_EQ(track.end(), 160);
}

TEST(TrackEnd, RoundsUpToWholeMicroseconds) {
  const TrackEnd track({1, 3});
  EXPECT_EQ(track.ToDuration(15), absl::Seconds(5));
  EXPECT_EQ(track.ToDuration(16), absl::Microseconds(5'333'334));
  EXPECT_EQ(track.ToDuration(-1), absl::Microseconds(-333'333));
}

TEST(TrackEnd, RefusesTimesThatNoVideoHas) {
  TrackEnd track({1, 1000});
  EXPECT_FALSE(track.Add(std::nullopt, 1));
  EXPECT_FALSE(track.Add(1, -1));
  EXPECT_FALSE(track.Add(INT64_MAX, 1));
  EXPECT_FALSE(track.Add(INT64_MIN, 1));
  EXPECT_FALSE(track.Add(0, INT64_MAX));
  EXPECT_EQ(track.frames(), 0);
}

TEST(SnapToRate, TakesAnEvenRateOutOfMilliseconds) {
  EXPECT_EQ(SnapToRate(absl::Milliseconds(5041), 121, 24, 1), absl::Microseconds(5'041'667));
  EXPECT_EQ(SnapToRate(absl::Milliseconds(5001), 150, 30, 1), absl::Seconds(5));
  // An uneven rate is what it is.
  EXPECT_EQ(SnapToRate(absl::Milliseconds(5003), 150, 30, 1), absl::Milliseconds(5003));
  EXPECT_EQ(SnapToRate(absl::Milliseconds(5000), 150, 0, 1), absl::Milliseconds(5000));
  EXPECT_EQ(SnapToRate(absl::Milliseconds(5000), INT64_MAX, 30, 1001), absl::Milliseconds(5000));
}

}  // namespace
}  // namespace lumaedit
