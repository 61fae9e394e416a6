// Where a track begins and ends, from the times of its packets. Values; no libavformat.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/time/time.h"

namespace lumaedit {

// Seconds of one tick as numerator / denominator, both positive.
struct TimeBase {
  std::int64_t num = 0;
  std::int64_t den = 1;
};

// Collects the packets of one track, in any order of presentation. Times are ticks.
class TrackEnd {
 public:
  explicit TrackEnd(TimeBase base) : base_(base) {}

  // `duration` 0: not known. False: a time that no video has (beyond 10 days), or none at all.
  bool Add(std::optional<std::int64_t> pts, std::int64_t duration);
  bool IsPlausible(std::int64_t ticks) const;

  std::int64_t frames() const { return frames_; }
  std::int64_t start() const { return start_; }
  // Of the last packet; where its duration is not known, it lasts as long as the one before it.
  std::int64_t end() const;
  // Did the last packet say how long it is?
  bool end_is_exact() const { return last_duration_ > 0; }

  // Rounded up to whole microseconds.
  absl::Duration ToDuration(std::int64_t ticks) const;

 private:
  const TimeBase base_;
  std::int64_t frames_ = 0;
  std::int64_t start_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ = std::numeric_limits<std::int64_t>::min();    // the largest time
  std::int64_t before_ = std::numeric_limits<std::int64_t>::min();  // the next largest
  std::int64_t last_duration_ = 0;
  std::int64_t known_end_ = std::numeric_limits<std::int64_t>::min();
};

// num / den seconds, rounded up to whole microseconds; den > 0.
absl::Duration CeilMicroseconds(std::int64_t num, std::int64_t den);

// A timeline in whole milliseconds blurs a constant rate: where `frames` of rate_num / rate_den a
// second come to `measured` within 1.5 ms, they count, else what was measured.
absl::Duration SnapToRate(absl::Duration measured, std::int64_t frames, std::int64_t rate_num,
                          std::int64_t rate_den);

}  // namespace lumaedit
