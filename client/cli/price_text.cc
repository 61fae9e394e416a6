#include "client/cli/price_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/cli/text.h"

namespace lumaedit::client::cli {
namespace {

std::string Row(absl::string_view name, absl::string_view value) {
  return absl::StrFormat("%-14s %s", name, value);
}

std::string BlocksText(const v1::QuoteEditResponse& quote) {
  std::string count = absl::StrCat(quote.min_blocks());
  if (quote.max_blocks() != quote.min_blocks()) {
    absl::StrAppend(&count, " – ", quote.max_blocks());
  }
  return absl::StrCat(count, " of 5 s at ", Money(quote.block_price_usd_micros()));
}

std::string LengthText(const v1::QuoteEditResponse& quote) {
  const absl::Duration length = absl::Seconds(quote.source_duration().seconds()) +
                                absl::Nanoseconds(quote.source_duration().nanos());
  const std::string text = absl::FormatDuration(length);
  switch (quote.duration_basis()) {
    case v1::QuoteEditResponse::DURATION_BASIS_PROBED:
      return absl::StrCat(text, ", measured by the gateway");
    case v1::QuoteEditResponse::DURATION_BASIS_LINEAGE:
      return absl::StrCat(text, ", that of the video it was made of");
    case v1::QuoteEditResponse::DURATION_BASIS_DECLARED:
      return absl::StrCat(text, ", as declared");
    case v1::QuoteEditResponse::DURATION_BASIS_UNKNOWN:
      return "not known: at most 30 s";
    default:
      return quote.has_source_duration() ? text : "not known";
  }
}

}  // namespace

std::vector<std::string> QuoteLines(const v1::QuoteEditResponse& quote) {
  std::vector<std::string> lines = {Row("price", Price(quote.price())),
                                    Row("blocks", BlocksText(quote)),
                                    Row("length", LengthText(quote))};
  if (quote.near_block_border()) {
    lines.push_back(Row("note",
                        "within two frames of a border between blocks, and the upstream's rounding "
                        "is not published: it may be either price"));
  }
  lines.push_back(Row("price table", Clean(quote.price_table_version())));
  return lines;
}

std::vector<std::string> BudgetLines(const v1::Budget& budget) {
  const std::int64_t used =
      budget.reserved_usd_micros() + budget.incurred_usd_micros() + budget.uncertain_usd_micros();
  std::vector<std::string> lines;
  lines.push_back(Row("limit", budget.has_limit_usd_micros() ? Money(budget.limit_usd_micros())
                                                             : std::string("none")));
  lines.push_back(Row("used", Money(used)));
  lines.push_back(
      Row("  reserved", absl::StrCat(Money(budget.reserved_usd_micros()), "  not sent yet")));
  lines.push_back(
      Row("  incurred", absl::StrCat(Money(budget.incurred_usd_micros()), "  accepted")));
  lines.push_back(Row(
      "  uncertain", absl::StrCat(Money(budget.uncertain_usd_micros()), "  may have been billed")));
  if (budget.has_limit_usd_micros()) {
    lines.push_back(Row("left", Money(budget.limit_usd_micros() - used)));
  }
  lines.push_back(Row("window", absl::StrCat(TimeText(budget.window_start_time()), " to ",
                                             TimeText(budget.window_end_time()))));
  return lines;
}

}  // namespace lumaedit::client::cli
