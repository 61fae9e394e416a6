// What an edit costs (upstream.md 6.5): micro-dollars per 5-second block, whole blocks, integers.
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "server/job/edit.h"

namespace lumaedit {

// Raised whenever a number of the table changes.
inline constexpr std::string_view kPriceTableVersion = "2026-06-17";

inline constexpr absl::Duration kBlockLength = absl::Seconds(5);
// The upstream's longest source (upstream.md 6, 6.2), and so the most blocks that it bills.
inline constexpr absl::Duration kLongestSource = absl::Seconds(30);
inline constexpr int kMostBlocks = 6;

std::int64_t BlockPriceUsdMicros(OutputFormat format);

// max(1, ceil(duration / 5 s)), counted in whole microseconds, rounded up.
int BlocksFor(absl::Duration duration);

}  // namespace lumaedit
