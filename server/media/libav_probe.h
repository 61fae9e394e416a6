// MediaProbe over libavformat and our own reading of the containers' times.
//
// Our own readers find how long the video lasts; libavformat says what is inside (codec, picture
// size), and is given nothing but the descriptions of the tracks: no packet is read, no frame
// decoded, no name or address followed. See the README for why. Thread-safe: no state but the
// settings.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/job/media_probe.h"
#include "server/job/price_table.h"

namespace lumaedit {

struct ProbeSettings {
  absl::Duration longest = kLongestSource;
  absl::Duration time_limit = absl::Seconds(10);  // of uptime, for one probe
  // What one probe may read. Headers alone are read, so it does not grow with the video, but for
  // WebM, where every frame has its own.
  std::int64_t most_bytes = std::int64_t{256} << 20;
};

// Silences libavformat's own log for the whole process: it prints to stderr what strangers wrote.
std::unique_ptr<MediaProbe> MakeLibavProbe(const Clock& clock, ProbeSettings settings);

}  // namespace lumaedit
