// MediaProbe by libavformat, made for hostile files (see README.md).
//
// Thread-safe; keeps nothing between calls. libavformat's own log is silenced for the process.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/job/media_probe.h"

namespace lumaedit {

struct MediaProbeLimits {
  // Of one probe as a whole, in uptime.
  absl::Duration time = absl::Seconds(10);
  // Bytes that are read: so often the file's size (headers are read more than once), and a rest.
  int passes = 3;
  std::int64_t more_bytes = std::int64_t{16} << 20;
  // 30 s at 240 frames a second are 7,200; sound has more.
  std::int64_t packets = 1'000'000;
  int tracks = 16;
  // Of one allocation inside libavformat, over the whole process: no frame of a video of 200 MB and
  // no index of one is as large.
  std::int64_t allocation_bytes = std::int64_t{32} << 20;
};

std::unique_ptr<MediaProbe> MakeAvMediaProbe(Clock& clock, const MediaProbeLimits& limits = {});

}  // namespace lumaedit
