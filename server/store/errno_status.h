// What the operating system's error number means for a caller of the store. Any thread.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace lumaedit {

// A disk is not emptied within a second, and a caller should not give up within a minute.
inline constexpr absl::Duration kStorageFullRetryAfter = absl::Seconds(5);

// ENOSPC, EDQUOT and EFBIG: there is no room for what was to be written.
bool MeansStorageFull(int error_number);

// UNAVAILABLE kStorageFull, with the time after which asking again makes sense.
absl::Status StorageFullError();

// UNAVAILABLE kStorageFull when there is no room, else UNAVAILABLE kStoreUnavailable; `what` names
// the step, never content.
absl::Status ErrnoError(int error_number, std::string_view what);

}  // namespace lumaedit
