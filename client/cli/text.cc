#include "client/cli/text.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace lumaedit::client::cli {
namespace {

constexpr char32_t kBad = 0xfffd;

// The code point at the front of `text`, and its length in bytes. kBad and 1 for what is not UTF-8.
struct CodePoint {
  char32_t value = kBad;
  int size = 1;
};

CodePoint Decode(absl::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const int size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < static_cast<std::size_t>(size)) return {};
  char32_t value = first & (0xff >> (size + 1));
  for (int at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte(at) & 0x3f);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
  return {value, size};
}

bool IsHarmful(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c ||  // Arabic letter mark
         (c >= 0x200b && c <= 0x200f) ||                         // zero width, left/right marks
         (c >= 0x2028 && c <= 0x202e) ||  // separators, embeddings, overrides
         (c >= 0x2060 && c <= 0x206f) ||  // isolates, invisible operators
         c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

}  // namespace

std::string Clean(absl::string_view text) {
  std::string clean;
  bool space_due = false;
  while (!text.empty()) {
    const CodePoint point = Decode(text);
    if (point.value == kBad && point.size == 1) {
      clean += "\xef\xbf\xbd";
    } else if (IsHarmful(point.value)) {
      space_due = true;
      text.remove_prefix(point.size);
      continue;
    } else {
      if (space_due && !clean.empty() && clean.back() != ' ' && text[0] != ' ') clean += ' ';
      clean.append(text.data(), point.size);
    }
    space_due = false;
    text.remove_prefix(point.size);
  }
  return clean;
}

std::string Money(std::int64_t usd_micros) {
  const bool negative = usd_micros < 0;
  // Unsigned, so that the least number has an absolute value too.
  const std::uint64_t micros = negative ? 0 - static_cast<std::uint64_t>(usd_micros)
                                        : static_cast<std::uint64_t>(usd_micros);
  std::string text = absl::StrFormat("%s$%d.%06d", negative ? "-" : "", micros / 1000000,
                                     static_cast<int>(micros % 1000000));
  const std::size_t cents = text.find('.') + 3;
  while (text.size() > cents && text.back() == '0') text.pop_back();
  return text;
}

std::string Price(const v1::PriceRange& price) {
  if (price.min_usd_micros() == price.max_usd_micros()) return Money(price.max_usd_micros());
  return absl::StrCat(Money(price.min_usd_micros()), " – ", Money(price.max_usd_micros()));
}

std::string ChargeText(const v1::Charge& charge) {
  std::string state = "unknown";
  if (v1::Charge::State_IsValid(charge.state())) {
    state =
        absl::AsciiStrToLower(absl::StripPrefix(v1::Charge::State_Name(charge.state()), "STATE_"));
  }
  return absl::StrCat(Price(charge.amount()), " ", state);
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string CandidatesText(const v1::Job& job) {
  const int count = job.candidate_upstream_ids_size();
  if (count == 0) return "no candidate";
  return absl::StrCat(count, count == 1 ? " candidate" : " candidates");
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "-";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", ToTime(time), absl::UTCTimeZone());
}

std::string Elapsed(absl::Duration duration) {
  const std::int64_t seconds = std::max<std::int64_t>(absl::ToInt64Seconds(duration), 0);
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
}

std::string Fit(absl::string_view text, int columns) {
  std::string fitting;
  for (int column = 0; column < columns && !text.empty(); ++column) {
    const int size = Decode(text).size;
    fitting.append(text.data(), size);
    text.remove_prefix(size);
  }
  return fitting;
}

std::string ReasonName(v1::ErrorReason reason) {
  if (!v1::ErrorReason_IsValid(reason)) return absl::StrCat("REASON_", static_cast<int>(reason));
  return std::string(absl::StripPrefix(v1::ErrorReason_Name(reason), "ERROR_REASON_"));
}

}  // namespace lumaedit::client::cli
