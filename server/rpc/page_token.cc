#include "server/rpc/page_token.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/hash.h"

namespace lumaedit {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kHashLength = 16;  // hex digits
constexpr std::size_t kTimeLength = 8;
constexpr std::size_t kMostIdLength = 64;
constexpr std::size_t kMostTokenLength = 200;

std::string BigEndian(std::int64_t value) {
  std::string out(kTimeLength, '\0');
  auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = kTimeLength; i-- > 0; bits >>= 8) out[i] = static_cast<char>(bits & 0xFF);
  return out;
}

std::int64_t FromBigEndian(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (char c : bytes) bits = bits << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(bits);
}

// Lengths before bytes: no two filters share a form. The order of states does not matter.
std::string HashOf(std::int64_t micros, std::string_view id, const JobFilter& filter) {
  std::vector<int> states;
  for (JobState state : filter.states) states.push_back(static_cast<int>(state));
  std::sort(states.begin(), states.end());
  states.erase(std::unique(states.begin(), states.end()), states.end());
  std::string form =
      absl::StrCat(micros, ":", id.size(), ":", absl::string_view(id.data(), id.size()), ";");
  for (int state : states) absl::StrAppend(&form, state, ",");
  for (const auto& [key, value] : filter.labels) {
    absl::StrAppend(&form, ";", key.size(), ":", key, value.size(), ":", value);
  }
  // Infinite times saturate, which is a form of their own as well.
  absl::StrAppend(&form, ";", absl::ToUnixNanos(filter.created_after), ";",
                  absl::ToUnixNanos(filter.created_before));
  return Sha256Hex(form).substr(0, kHashLength);
}

}  // namespace

std::string MakePageToken(const JobCursor& cursor, const JobFilter& filter) {
  const std::int64_t micros = absl::ToUnixMicros(cursor.create_time);
  const std::string bytes = absl::StrCat(std::string(1, kVersion), BigEndian(micros),
                                         HashOf(micros, cursor.id, filter), cursor.id);
  return absl::WebSafeBase64Escape(bytes);
}

std::optional<JobCursor> ReadPageToken(std::string_view token, const JobFilter& filter) {
  std::string bytes;
  if (token.size() > kMostTokenLength ||
      !absl::WebSafeBase64Unescape(absl::string_view(token.data(), token.size()), &bytes)) {
    return std::nullopt;
  }
  constexpr std::size_t kIdAt = 1 + kTimeLength + kHashLength;
  if (bytes.size() <= kIdAt || bytes.size() > kIdAt + kMostIdLength || bytes[0] != kVersion) {
    return std::nullopt;
  }
  const std::string_view all(bytes);
  const std::int64_t micros = FromBigEndian(all.substr(1, kTimeLength));
  const std::string_view hash = all.substr(1 + kTimeLength, kHashLength);
  const std::string_view id = all.substr(kIdAt);
  if (hash != HashOf(micros, id, filter)) return std::nullopt;
  return JobCursor{absl::FromUnixMicros(micros), std::string(id)};
}

}  // namespace lumaedit
