#include "server/job/read_error.h"

#include <utility>

#include "server/job/error.h"

namespace lumaedit {
namespace {

constexpr int kPaymentRequired = 402;
constexpr int kTooManyRequests = 429;

}  // namespace

absl::Status UpstreamUnavailable(std::string_view why, absl::Duration wait) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kUpstreamUnavailable;
  detail.retry_after = wait;
  return MakeError(absl::StatusCode::kUnavailable, std::move(detail), why);
}

absl::Status ReadError(ReadFailure failure, int http_status, absl::Duration wait) {
  if (failure == ReadFailure::kKeyRefused) {
    return MakeError(absl::StatusCode::kInternal, ErrorReason::kInternal,
                     "the upstream refuses the gateway's key");
  }
  if (http_status == kPaymentRequired || http_status == kTooManyRequests) {
    ErrorDetail detail;
    detail.reason = ErrorReason::kUpstreamBusy;
    detail.retry_after = wait;
    return MakeError(absl::StatusCode::kResourceExhausted, std::move(detail),
                     "the upstream limits how often it is asked, or its account has no funds");
  }
  return UpstreamUnavailable(failure == ReadFailure::kNotFound
                                 ? "the upstream does not show the record now"
                                 : "the upstream cannot be asked now",
                             wait);
}

}  // namespace lumaedit
