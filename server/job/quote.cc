#include "server/job/quote.h"

#include <algorithm>

#include "server/job/price_table.h"

namespace lumaedit {
namespace {

constexpr std::int64_t kFramesPerSecond = 24;
constexpr std::int64_t kFramesOfDoubt = 2;

void PriceKnownLength(absl::Duration duration, Quote& quote) {
  quote.min_blocks = quote.max_blocks = BlocksFor(duration);
  const std::int64_t length = absl::ToInt64Microseconds(CountedLength(duration));
  const std::int64_t block = absl::ToInt64Microseconds(kBlockLength);
  const std::int64_t border = (length + block / 2) / block;  // the nearest one
  if (border < 1) return;
  const std::int64_t distance = std::max(length - border * block, border * block - length);
  // In integers: two frames are no whole number of microseconds.
  if (distance * kFramesPerSecond > kFramesOfDoubt * 1'000'000) return;
  if (duration <= kLongestSource && border >= kMostBlocks) return;
  quote.near_block_border = true;
  quote.min_blocks = static_cast<int>(border);
  quote.max_blocks = quote.min_blocks + 1;
}

}  // namespace

absl::Duration CountedLength(absl::Duration duration) {
  return absl::Ceil(duration, absl::Microseconds(1));
}

Quote QuoteFor(OutputFormat format, const SourceLength& length) {
  Quote quote;
  quote.length = length;
  quote.block_price_usd_micros = BlockPriceUsdMicros(format);
  if (length.duration) {
    PriceKnownLength(*length.duration, quote);
  } else {
    quote.max_blocks = kMostBlocks;
  }
  quote.price = {quote.block_price_usd_micros * quote.min_blocks,
                 quote.block_price_usd_micros * quote.max_blocks};
  return quote;
}

}  // namespace lumaedit
