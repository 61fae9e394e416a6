#include "server/job/price_table.h"

#include <algorithm>

namespace lumaedit {

std::int64_t BlockPriceUsdMicros(OutputFormat format) {
  switch (format) {
    case OutputFormat::kSdr540p:
      return 720'000;
    case OutputFormat::kUnspecified:
    case OutputFormat::kSdr720p:
      return 1'080'000;
    case OutputFormat::kSdr1080p:
    case OutputFormat::kHdr720p:
      return 2'160'000;
    case OutputFormat::kHdr1080p:
      return 4'320'000;
    case OutputFormat::kHdrExr720p:
      return 3'780'000;
    case OutputFormat::kHdrExr1080p:
      return 7'560'000;
  }
  return 7'560'000;
}

int BlocksFor(absl::Duration duration) {
  const std::int64_t micros =
      absl::ToInt64Microseconds(absl::Ceil(duration, absl::Microseconds(1)));
  const std::int64_t block = absl::ToInt64Microseconds(kBlockLength);
  return static_cast<int>(std::max<std::int64_t>(1, (micros + block - 1) / block));
}

}  // namespace lumaedit
