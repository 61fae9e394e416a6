#include "server/rpc/watch_token.h"

#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/hash.h"

namespace lumaedit {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kChangeLength = 8;
constexpr std::size_t kHashLength = kAnyFilter.size();
constexpr std::size_t kCheckLength = 8;  // hex digits
constexpr std::size_t kMostStoreIdLength = 64;
constexpr std::size_t kMostTokenLength = 200;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string BigEndian(std::int64_t value) {
  std::string out(kChangeLength, '\0');
  auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = kChangeLength; i-- > 0; bits >>= 8) out[i] = static_cast<char>(bits & 0xFF);
  return out;
}

std::int64_t FromBigEndian(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (char c : bytes) bits = bits << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(bits);
}

std::string CheckOf(std::string_view change, std::string_view hash, std::string_view store_id) {
  return Sha256Hex(absl::StrCat(View(change), View(hash), View(store_id))).substr(0, kCheckLength);
}

}  // namespace

std::string WatchFilterHash(const std::string& caller, const JobsFilter& filter) {
  // Lengths before bytes: no two filters share a form.
  std::string form = absl::StrCat(caller.size(), ":", caller);
  for (const std::string& id : filter.job_ids) absl::StrAppend(&form, ";", id.size(), ":", id);
  for (const auto& [key, value] : filter.labels) {
    absl::StrAppend(&form, ",", key.size(), ":", key, value.size(), ":", value);
  }
  return Sha256Hex(form).substr(0, kHashLength);
}

std::string MakeWatchToken(const StorePosition& position, std::string_view filter_hash) {
  const std::string change = BigEndian(position.change);
  return absl::WebSafeBase64Escape(absl::StrCat(std::string(1, kVersion), change, View(filter_hash),
                                                CheckOf(change, filter_hash, position.store_id),
                                                position.store_id));
}

std::optional<WatchToken> ReadWatchToken(std::string_view token) {
  std::string bytes;
  if (token.size() > kMostTokenLength || !absl::WebSafeBase64Unescape(View(token), &bytes)) {
    return std::nullopt;
  }
  constexpr std::size_t kStoreIdAt = 1 + kChangeLength + kHashLength + kCheckLength;
  if (bytes.size() <= kStoreIdAt || bytes.size() > kStoreIdAt + kMostStoreIdLength ||
      bytes[0] != kVersion) {
    return std::nullopt;
  }
  const std::string_view all(bytes);
  const std::string_view change = all.substr(1, kChangeLength);
  const std::string_view hash = all.substr(1 + kChangeLength, kHashLength);
  const std::string_view check = all.substr(1 + kChangeLength + kHashLength, kCheckLength);
  const std::string_view store_id = all.substr(kStoreIdAt);
  const std::int64_t number = FromBigEndian(change);
  if (number < 0 || check != CheckOf(change, hash, store_id)) return std::nullopt;
  return WatchToken{{std::string(store_id), number}, std::string(hash)};
}

}  // namespace lumaedit
