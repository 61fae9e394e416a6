#include "server/job/price_table.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

struct Price {
  OutputFormat format;
  std::int64_t block;
};
// upstream.md 6.5, dollars a block.
constexpr Price kPrices[] = {
    {OutputFormat::kUnspecified, 1'080'000}, {OutputFormat::kSdr540p, 720'000},
    {OutputFormat::kSdr720p, 1'080'000},     {OutputFormat::kSdr1080p, 2'160'000},
    {OutputFormat::kHdr720p, 2'160'000},     {OutputFormat::kHdr1080p, 4'320'000},
    {OutputFormat::kHdrExr720p, 3'780'000},  {OutputFormat::kHdrExr1080p, 7'560'000},
};

TEST(PriceTable, BlockEdges) {
  const struct {
    absl::Duration length;
    int blocks;
  } rows[] = {
      {absl::ZeroDuration(), 1},
      {absl::Milliseconds(1), 1},
      {absl::Milliseconds(4999), 1},
      {absl::Seconds(5), 1},
      {absl::Nanoseconds(5'000'000'001), 2},
      {absl::Milliseconds(5001), 2},
      {absl::Seconds(10), 2},
      {absl::Milliseconds(10'001), 3},
      {absl::Milliseconds(29'990), 6},
      {absl::Seconds(30), 6},
      {absl::Milliseconds(30'001), 7},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(BlocksFor(row.length), row.blocks) << row.length;
  }
}

TEST(PriceTable, TheMostBlocksAreThoseOfTheLongestSource) {
  EXPECT_EQ(BlocksFor(kLongestSource), kMostBlocks);
}

TEST(PriceTable, EachFormatHasItsPrice) {
  for (const Price& price : kPrices) EXPECT_EQ(BlockPriceUsdMicros(price.format), price.block);
}

}  // namespace
}  // namespace lumaedit
