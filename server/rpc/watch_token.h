// The position of WatchJobs as an opaque text: base64url of {version, change, hash of the filter,
// check, store id} (protocol.md section 6).
//
// It names a position and carries no authority: what is sent is the caller's own, whatever the
// token says. The check tells a token that was cut or mistyped from a good one, which would
// otherwise skip what lies between. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/job/watch_hub.h"

namespace lumaedit {

// In a token of ListJobs: nothing was sent under any filter yet, so the position is good for all.
inline constexpr std::string_view kAnyFilter = "0000000000000000";

// 16 hex digits; of the caller too.
std::string WatchFilterHash(const std::string& caller, const JobsFilter& filter);

std::string MakeWatchToken(const StorePosition& position, std::string_view filter_hash);

struct WatchToken {
  StorePosition position;
  std::string filter_hash;
};

// Unset: malformed.
std::optional<WatchToken> ReadWatchToken(std::string_view token);

}  // namespace lumaedit
