// A read of the upstream that failed, as the status of the call that needed it. Any thread.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/job/upstream.h"

namespace lumaedit {

// 402 and 429: RESOURCE_EXHAUSTED kUpstreamBusy; a refused key: INTERNAL (a person must act, and
// the caller cannot); all else UNAVAILABLE kUpstreamUnavailable. `wait` goes into the RetryInfo.
absl::Status ReadError(ReadFailure failure, int http_status, absl::Duration wait);

absl::Status UpstreamUnavailable(std::string_view why, absl::Duration wait);

}  // namespace lumaedit
