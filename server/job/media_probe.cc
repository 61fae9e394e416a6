#include "server/job/media_probe.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/job/error.h"

namespace lumaedit {

absl::StatusOr<MediaInfo> ProbeSource(MediaProbe& probe, SourceReader& bytes,
                                      absl::Duration longest) {
  auto media = probe.Probe(bytes);
  if (!media.ok() || media->duration <= longest) return media;
  ErrorDetail detail;
  detail.reason = ErrorReason::kSourceTooLong;
  detail.metadata = {
      {"duration_seconds", absl::StrFormat("%.6f", absl::ToDoubleSeconds(media->duration))},
      {"longest_seconds", absl::StrFormat("%.6f", absl::ToDoubleSeconds(longest))}};
  return MakeError(absl::StatusCode::kInvalidArgument, std::move(detail),
                   absl::StrCat("the video is ", absl::FormatDuration(media->duration),
                                " long, and may be at most ", absl::FormatDuration(longest)));
}

}  // namespace lumaedit
