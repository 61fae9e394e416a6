#include "server/upstream/upstream_text.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <cmath>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "server/upstream/base64.h"

namespace lumaedit {
namespace {

constexpr char kKeyMark[] = "[key]";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kShortestKeyPart = 6;
constexpr double kLatestUnixSecond = 4102444800;  // 2100-01-01

// No form of a key too short to be one: every text would hold it.
std::vector<std::string> FormsOf(const Secret& key) {
  const std::string& bytes = key.Reveal();
  if (bytes.size() < kShortestKeyPart) return {};
  return {bytes, Base64Encode(bytes), absl::BytesToHexString(bytes)};
}

std::string WithoutKey(std::string_view text, const Secret& key) {
  std::string out(text);
  for (const std::string& form : FormsOf(key)) {
    out = absl::StrReplaceAll(out, {{form, kKeyMark}});
    // A form cut off by the end of what was kept.
    for (std::size_t size = std::min(form.size() - 1, out.size()); size >= kShortestKeyPart;
         --size) {
      if (out.compare(out.size() - size, size, form, 0, size) == 0) {
        out.resize(out.size() - size);
        break;
      }
    }
  }
  return out;
}

// Bytes of the code point that starts at `i`; 0 where no valid one does. `code` is set.
std::size_t CodePointAt(std::string_view text, std::size_t i, char32_t& code) {
  const auto lead = static_cast<unsigned char>(text[i]);
  std::size_t size = 0;
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) size = 2;
  if (lead >= 0xE0 && lead <= 0xEF) size = 3;
  if (lead >= 0xF0 && lead <= 0xF4) size = 4;
  if (size == 0 || i + size > text.size()) return 0;
  code = lead & (0x7FU >> size);
  for (std::size_t k = i + 1; k < i + size; ++k) {
    const auto byte = static_cast<unsigned char>(text[k]);
    if ((byte & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte & 0x3FU);
  }
  const char32_t least = size == 3 ? 0x800 : size == 4 ? 0x10000 : 0x80;
  if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
  return size;
}

bool IsControl(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029;
}

struct KnownCode {
  std::string_view code;
  bool may_succeed;
};

// upstream.md 7.2; budget_exhausted and rate_limited pass with time or money.
constexpr KnownCode kKnownCodes[] = {
    {"content_moderated", false}, {"generation_failed", true}, {"budget_exhausted", true},
    {"output_not_found", true},   {"image_too_large", false},  {"unsupported_format", false},
    {"corrupt_input", false},     {"invalid_request", false},  {"rate_limited", true},
    {"invalid_input", false},
};

bool MaySucceed(std::string_view lower_code, bool otherwise) {
  for (const KnownCode& known : kKnownCodes) {
    if (known.code == lower_code) return known.may_succeed;
  }
  int number = 0;
  if (absl::SimpleAtoi(AbslView(lower_code), &number)) {
    if (number == 429 || (number >= 500 && number <= 599)) return true;
    if (number >= 400 && number <= 499) return false;
  }
  return otherwise;
}

}  // namespace

std::string CleanText(std::string_view text, const Secret& key, std::size_t most) {
  const std::string open = WithoutKey(text, key);
  std::string clean;
  for (std::size_t i = 0; i < open.size();) {
    char32_t code = 0;
    const std::size_t size = CodePointAt(open, i, code);
    std::string_view piece = size == 0 ? kReplacement : std::string_view(open).substr(i, size);
    if (size != 0 && IsControl(code)) piece = " ";
    if (clean.size() + piece.size() > most) break;
    clean.append(piece);
    i += std::max<std::size_t>(size, 1);
  }
  return clean;
}

bool IsFinal(UpstreamStatus status) {
  return status == UpstreamStatus::kSuccess || status == UpstreamStatus::kFailed ||
         status == UpstreamStatus::kCancelled;
}

bool IsUpstreamId(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
}

bool IsOutputUrl(std::string_view text, const Secret& key) {
  if (text.empty() || text.size() > kMaxUrlBytes) return false;
  for (const std::string& form : FormsOf(key)) {
    if (absl::StrContains(AbslView(text), form)) return false;
  }
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed.has_value() || parsed->scheme_id() != boost::urls::scheme::https) return false;
  // Boost.URL 1.81 reads https://[::1]@host as the host [::1] and the path @host.
  const bool has_odd_path =
      !parsed->encoded_path().empty() && parsed->encoded_path().front() != '/';
  return !parsed->encoded_host().empty() && !parsed->has_userinfo() && !has_odd_path;
}

absl::Time ReadUnixSeconds(double seconds) {
  if (!(seconds >= 1) || seconds > kLatestUnixSecond) return absl::InfinitePast();
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

absl::Time ReadUnixSeconds(std::string_view text) {
  double seconds = 0;
  if (text.size() > 40 || !absl::SimpleAtod(AbslView(text), &seconds)) return absl::InfinitePast();
  return ReadUnixSeconds(seconds);
}

absl::Time ReadHttpDate(std::string_view text) {
  if (text.size() > 64) return absl::InfinitePast();
  // IMF-fixdate, then the two obsolete forms that a recipient must accept.
  static constexpr const char* kForms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                           "%a %b %e %H:%M:%S %Y"};
  for (const char* form : kForms) {
    absl::Time time;
    std::string error;
    if (absl::ParseTime(form, AbslView(text), absl::UTCTimeZone(), &time, &error) &&
        time > absl::UnixEpoch() && time < absl::FromUnixSeconds(253402300800)) {
      return time;
    }
  }
  return absl::InfinitePast();
}

absl::Duration ReadRetryAfter(std::string_view text, absl::Time now) {
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.front()))) {
    text.remove_prefix(1);
  }
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.back()))) {
    text.remove_suffix(1);
  }
  if (text.empty()) return absl::ZeroDuration();
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  if (digits) {
    std::int64_t seconds = 0;
    // Digits that do not fit are a very long wait.
    if (!absl::SimpleAtoi(AbslView(text), &seconds)) return absl::Hours(1);
    return std::min(absl::Seconds(std::min<std::int64_t>(seconds, 3600)), absl::Hours(1));
  }
  const absl::Time date = ReadHttpDate(text);
  if (!IsSet(date) || !IsSet(now)) return absl::ZeroDuration();
  return std::clamp(date - now, absl::ZeroDuration(), absl::Hours(1));
}

JobError MakeUpstreamError(const UpstreamReason& reason, ErrorReason reason_if_other,
                           bool may_succeed_if_unknown, const Secret& key) {
  JobError error;
  error.upstream_code = CleanText(reason.code, key, kMaxStatusWordBytes);
  error.upstream_message = CleanText(reason.message, key, kMaxUpstreamTextBytes);
  const std::string code = absl::AsciiStrToLower(error.upstream_code);
  const std::string message = absl::AsciiStrToLower(error.upstream_message);
  const bool moderated = code == "content_moderated" ||
                         absl::StrContains(message, "content_moderated") ||
                         absl::StrContains(message, "content moderation");
  if (moderated) {
    error.reason = ErrorReason::kContentModerated;
    error.message = "the upstream's moderation refused the prompt, the source or the result";
    return error;
  }
  error.reason = reason_if_other;
  error.may_succeed_if_submitted_again = MaySucceed(code, may_succeed_if_unknown);
  const bool silent = error.upstream_message.empty() && error.upstream_code.empty();
  if (reason_if_other == ErrorReason::kUpstreamFailed) {
    error.message =
        silent ? "the upstream failed the edit and gave no reason" : "the upstream failed the edit";
  } else {
    error.message = silent ? "the upstream refused the edit and gave no reason"
                           : "the upstream refused the edit";
  }
  return error;
}

}  // namespace lumaedit
