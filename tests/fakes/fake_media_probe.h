// A MediaProbe that says what the test wants: for videos that need not be any. One thread sets it
// before another asks.
#pragma once

#include "server/job/media_probe.h"

namespace lumaedit {

class FakeMediaProbe final : public MediaProbe {
 public:
  absl::StatusOr<MediaInfo> Probe(SourceReader& /*bytes*/) override { return answer; }

  absl::StatusOr<MediaInfo> answer = MediaInfo{.duration = absl::Milliseconds(7300),
                                               .frame_duration = absl::Microseconds(41'667),
                                               .width = 1280,
                                               .height = 720,
                                               .codec = "h264",
                                               .container = "mp4"};
};

}  // namespace lumaedit
