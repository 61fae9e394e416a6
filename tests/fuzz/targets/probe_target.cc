#include <memory>
#include <string>
#include <string_view>

#include "server/base/clock.h"
#include "server/job/error.h"
#include "server/media/av_media_probe.h"
#include "tests/fakes/bytes_reader.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"

namespace lumaedit::fuzz {

void Probe(std::string_view bytes) {
  static SystemClock clock;
  static const std::unique_ptr<MediaProbe> probe =
      MakeAvMediaProbe(clock, {.time = absl::Seconds(4)});
  BytesReader reader{std::string(bytes)};
  const auto media = ProbeSource(*probe, reader, absl::Seconds(30));
  if (media.ok()) {
    Promise(media->duration > absl::ZeroDuration(), "what is taken has a length");
    Promise(media->duration <= absl::Seconds(30), "nothing too long is taken");
    Promise(media->duration == absl::Microseconds(absl::ToInt64Microseconds(media->duration)),
            "a length is whole microseconds");
    Promise(media->frame_duration >= absl::ZeroDuration(), "a frame has no negative length");
    Promise(media->width >= 0 && media->height >= 0, "no negative size");
    const bool known = media->container == "mp4" || media->container == "mov" ||
                       media->container == "webm" || media->container == "matroska";
    Promise(known, "no other container is taken");
    return;
  }
  // The reader never fails, so every failure is the file's.
  Promise(absl::IsInvalidArgument(media.status()), "a bad file is the caller's mistake");
  const ErrorReason reason = DetailOf(media.status()).reason;
  Promise(reason == ErrorReason::kNotAVideo || reason == ErrorReason::kTruncated ||
              reason == ErrorReason::kSourceTooLong,
          "a refusal has its reason");
}

}  // namespace lumaedit::fuzz
