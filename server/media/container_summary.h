// What our own readers find out about a container. Values; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/job/error.h"
#include "server/media/byte_window.h"

namespace lumaedit {

struct TrackTiming {
  absl::Duration end = absl::ZeroDuration();  // of the last frame, after edit lists
  absl::Duration frame_duration = absl::ZeroDuration();
};

// Video tracks only, by the number that the container gives them.
using Timings = std::map<std::int64_t, TrackTiming>;

struct ContainerSummary {
  Timings timings;
  // A container of the same kind that describes the same tracks and holds nothing else: no sample
  // tables, no fragments, no metadata, no pictures. That is what libavformat is given, so that a
  // hostile index cannot make it allocate.
  std::string description;
};

// Frames of one track beyond which a file is refused: an hour at 240 frames a second.
inline constexpr std::int64_t kMostFrames = 864'000;
// Boxes or elements beyond which a file is refused.
inline constexpr int kMostElements = 2'000'000;

// ISO base media file format (MP4, QuickTime; plain and fragmented): ISO/IEC 14496-12.
absl::StatusOr<ContainerSummary> ReadMp4(ByteWindow& window);

// Matroska and WebM: RFC 9559.
absl::StatusOr<ContainerSummary> ReadWebm(ByteWindow& window);

inline absl::Status NotAVideo(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kNotAVideo, message);
}
inline absl::Status Truncated(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kTruncated, message);
}

}  // namespace lumaedit
