// Port: measures a video before money depends on its length.
//
// Blocks while it reads: worker threads only, never a handler. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace lumaedit {

class SourceReader;

struct MediaInfo {
  // The end of the video track after edit lists, in whole microseconds, rounded up (upstream.md
  // 6.5). Zero: not measured.
  absl::Duration duration = absl::ZeroDuration();
  // The mean length of a frame; zero: not known (a single frame).
  absl::Duration frame_duration = absl::ZeroDuration();
  int width = 0;          // pixels
  int height = 0;         // pixels
  std::string codec;      // as FFmpeg calls it: "h264", "vp9", "prores"
  std::string container;  // "mp4", "mov", "webm", "matroska"

  friend bool operator==(const MediaInfo&, const MediaInfo&) = default;
};

class MediaProbe {
 public:
  virtual ~MediaProbe() = default;

  // INVALID_ARGUMENT kNotAVideo: no video in a container that is taken, or one that cannot be
  // measured within the bounds. INVALID_ARGUMENT kTruncated: the file ends before its video does.
  // Any other status is a failure of reading, and says nothing of the file.
  virtual absl::StatusOr<MediaInfo> Probe(SourceReader& bytes) = 0;
};

// Probes, and refuses what is longer than `longest` with INVALID_ARGUMENT kSourceTooLong (metadata:
// duration_seconds, longest_seconds).
absl::StatusOr<MediaInfo> ProbeSource(MediaProbe& probe, SourceReader& bytes,
                                      absl::Duration longest);

}  // namespace lumaedit
