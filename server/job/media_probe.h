// Port: what a source video is, read from its container without decoding it.
//
// Synchronous; probe worker only; thread-safe. The bytes come from a stranger: whatever they are,
// the answer is a value or a refusal, within bounded time and memory.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/job/source_store.h"

namespace lumaedit {

struct MediaInfo {
  // The end of the video track after edit lists, in whole microseconds, rounded up: what the price
  // is counted from (upstream.md 6.5).
  absl::Duration duration = absl::ZeroDuration();
  int width = 0;                                         // pixels, as coded
  int height = 0;                                        // pixels, as coded
  std::string codec;                                     // "h264", "vp9", …
  std::string container;                                 // "mp4" (also QuickTime) or "webm"
  absl::Duration frame_duration = absl::ZeroDuration();  // of the last frame; zero: not known
  std::int64_t size_bytes = 0;
};

class MediaProbe {
 public:
  virtual ~MediaProbe() = default;

  // INVALID_ARGUMENT with one of these reasons:
  //   kNotAVideo     no container we know, or no video track with a length in it
  //   kTruncated     the container announces more than the file holds
  //   kSourceTooLong longer than the probe's limit
  // UNAVAILABLE: could not be judged within the bounds of time or reading. Other codes are the
  // reader's own.
  virtual absl::StatusOr<MediaInfo> Probe(SourceReader& source) = 0;
};

}  // namespace lumaedit
