// What the upstream writes, made safe and understood word by word. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/secret.h"
#include "server/job/job.h"
#include "server/job/upstream.h"

namespace lumaedit {

inline constexpr std::size_t kMaxUpstreamTextBytes = 500;
inline constexpr std::size_t kMaxStatusWordBytes = 64;
inline constexpr std::size_t kMaxUrlBytes = 8192;
// What readers keep of a text before it is cleaned: more than is shown, so that a key cut in two by
// the bound is still recognised.
inline constexpr std::size_t kMaxRawTextBytes = 8192;

// The packaged Abseil has a string_view of its own.
inline absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

// At most `most` bytes of valid UTF-8 without control characters, and without `key` (also in
// base64 and hex), which the upstream may echo.
std::string CleanText(std::string_view text, const Secret& key, std::size_t most);

bool IsFinal(UpstreamStatus status);

// [A-Za-z0-9_-]{1,128}: fit to be put into a path and into the store.
bool IsUpstreamId(std::string_view text);

// https, a host, no user information, printable ASCII, at most kMaxUrlBytes, not holding `key`.
bool IsOutputUrl(std::string_view text, const Secret& key);

// Unix seconds as the upstream counts them; InfinitePast for 0, negatives and absurd numbers.
absl::Time ReadUnixSeconds(double seconds);
absl::Time ReadUnixSeconds(std::string_view text);

// RFC 9110 section 5.6.7, all three forms; InfinitePast when it is none.
absl::Time ReadHttpDate(std::string_view text);

// `Retry-After`: seconds or a date against `now`. Zero when it says nothing usable; never negative,
// at most an hour.
absl::Duration ReadRetryAfter(std::string_view text, absl::Time now);

// Where a reader found the reason of a failure (upstream.md 5.1). Texts are raw.
struct UpstreamReason {
  std::string code;
  std::string message;
};

// The job error for a reason: moderation is recognised by code and by text; what may succeed when
// submitted again follows upstream.md 7.2. `reason_if_other` for all that is not moderation.
JobError MakeUpstreamError(const UpstreamReason& reason, ErrorReason reason_if_other,
                           bool may_succeed_if_unknown, const Secret& key);

}  // namespace lumaedit
