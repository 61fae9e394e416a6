// What an edit costs (upstream.md 6.5): micro-dollars per 5-second block, whole blocks, integers.
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "server/job/job.h"

namespace lumaedit {

// Raised whenever a number of the table changes.
inline constexpr std::string_view kPriceTableVersion = "2026-06-17";

inline constexpr absl::Duration kBlockLength = absl::Seconds(5);
// The upstream's longest source (upstream.md 6, 6.2): the bound where the length is not known.
inline constexpr absl::Duration kLongestSource = absl::Seconds(30);

std::int64_t BlockPriceUsdMicros(OutputFormat format);

// max(1, ceil(duration / 5 s)), counted in whole microseconds, rounded up.
int BlocksFor(absl::Duration duration);

// Exact for a known duration; one block to the blocks of the longest source otherwise.
PriceRange QuoteFor(OutputFormat format, const std::optional<absl::Duration>& duration);

}  // namespace lumaedit
