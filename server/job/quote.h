// What an edit would cost, from its format and the length of its source (upstream.md 6.5). Pure;
// any thread.
//
// The upstream measures for itself and publishes no rounding: its grid has 24 frames a second, and
// a clip of nominally 5 s may last 121 of them. So a length within two frames of a border between
// two blocks is priced as either.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "server/job/job.h"

namespace lumaedit {

struct Quote {
  PriceRange price;
  std::int64_t block_price_usd_micros = 0;
  int min_blocks = 1;
  int max_blocks = 1;
  SourceLength length;
  bool near_block_border = false;  // two lengths are priced, since the border may be crossed
  friend bool operator==(const Quote&, const Quote&) = default;
};

// A known length has its blocks, or those on both sides of the border that it is near to; an
// unknown one has 1 to kMostBlocks. There is no block after the last one: the upstream takes no
// longer source.
Quote QuoteFor(OutputFormat format, const SourceLength& length);

// Whole microseconds, rounded up, as prices count and the store keeps them.
absl::Duration CountedLength(absl::Duration duration);

}  // namespace lumaedit
