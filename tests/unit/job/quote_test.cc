#include "server/job/quote.h"

#include <gtest/gtest.h>

#include "server/job/price_table.h"

namespace lumaedit {
namespace {

constexpr std::int64_t kBlock = 1'080'000;  // SDR 720p

Quote Probed(absl::Duration length) {
  return QuoteFor(OutputFormat::kSdr720p, {length, DurationBasis::kProbed});
}

struct Row {
  absl::Duration length;
  int min_blocks;
  int max_blocks;
};

TEST(Quote, LengthsNearABorderHaveBothPrices) {
  const Row rows[] = {
      {absl::Milliseconds(1), 1, 1},
      {absl::Milliseconds(2500), 1, 1},
      {absl::Milliseconds(4916), 1, 1},
      {absl::Microseconds(4'916'666), 1, 1},  // 2 frames and a part of a microsecond
      {absl::Microseconds(4'916'667), 1, 2},
      {absl::Milliseconds(4999), 1, 2},
      {absl::Seconds(5), 1, 2},
      {absl::Milliseconds(5001), 1, 2},
      {absl::Milliseconds(5042), 1, 2},  // 121 frames
      {absl::Microseconds(5'083'333), 1, 2},
      {absl::Microseconds(5'083'334), 2, 2},
      {absl::Milliseconds(5100), 2, 2},
      {absl::Milliseconds(9950), 2, 3},
      {absl::Milliseconds(12'300), 3, 3},
      {absl::Seconds(18), 4, 4},
      {absl::Seconds(25), 5, 6},
      // There is no seventh block: the upstream takes nothing above 30 s.
      {absl::Milliseconds(29'900), 6, 6},
      {absl::Milliseconds(29'990), 6, 6},
      {absl::Seconds(30), 6, 6},
      // No source of this length is taken; were it, it would be near to a border.
      {absl::Milliseconds(30'010), 6, 7},
  };
  for (const Row& row : rows) {
    const Quote quote = Probed(row.length);
    EXPECT_EQ(quote.min_blocks, row.min_blocks) << row.length;
    EXPECT_EQ(quote.max_blocks, row.max_blocks) << row.length;
    EXPECT_EQ(quote.near_block_border, row.min_blocks != row.max_blocks) << row.length;
    EXPECT_EQ(quote.price, (PriceRange{kBlock * row.min_blocks, kBlock * row.max_blocks}));
    EXPECT_EQ(quote.block_price_usd_micros, kBlock);
  }
}

TEST(Quote, EveryLengthHoldsTheBlocksThatThePriceTableCounts) {
  for (absl::Duration length = absl::Milliseconds(1); length <= kLongestSource;
       length += absl::Milliseconds(1)) {
    const Quote quote = Probed(length);
    EXPECT_LE(quote.min_blocks, BlocksFor(length)) << length;
    EXPECT_GE(quote.max_blocks, BlocksFor(length)) << length;
    EXPECT_LE(quote.max_blocks - quote.min_blocks, 1) << length;
    EXPECT_LE(quote.max_blocks, kMostBlocks) << length;
  }
}

TEST(Quote, AnUnknownLengthIsOneToSixBlocks) {
  const Quote quote = QuoteFor(OutputFormat::kHdrExr1080p, {});
  EXPECT_EQ(quote.min_blocks, 1);
  EXPECT_EQ(quote.max_blocks, 6);
  EXPECT_EQ(quote.price, (PriceRange{7'560'000, 45'360'000}));
  EXPECT_FALSE(quote.near_block_border);
  EXPECT_EQ(quote.length.basis, DurationBasis::kUnknown);
}

TEST(Quote, TheExamplesOfThePriceTable) {
  const struct {
    absl::Duration length;
    OutputFormat format;
    std::int64_t price;
  } rows[] = {
      {absl::Milliseconds(5100), OutputFormat::kSdr720p, 2'160'000},
      {absl::Milliseconds(12'300), OutputFormat::kHdr1080p, 12'960'000},
      {absl::Seconds(18), OutputFormat::kSdr540p, 2'880'000},
      {absl::Seconds(30), OutputFormat::kHdrExr1080p, 45'360'000},
  };
  for (const auto& row : rows) {
    const Quote quote = QuoteFor(row.format, {row.length, DurationBasis::kDeclared});
    EXPECT_EQ(quote.price, (PriceRange{row.price, row.price})) << row.length;
    EXPECT_EQ(quote.length.basis, DurationBasis::kDeclared);
  }
}

TEST(Quote, LengthsAreCountedInWholeMicrosecondsRoundedUp) {
  EXPECT_EQ(CountedLength(absl::Nanoseconds(5'000'000'001)), absl::Microseconds(5'000'001));
  EXPECT_EQ(CountedLength(absl::Microseconds(7)), absl::Microseconds(7));
  EXPECT_EQ(Probed(absl::Nanoseconds(5'083'333'001)).min_blocks, 2);
}

}  // namespace
}  // namespace lumaedit
