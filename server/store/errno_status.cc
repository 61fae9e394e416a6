#include "server/store/errno_status.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/job/error.h"

namespace lumaedit {

bool MeansStorageFull(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

absl::Status StorageFullError() {
  ErrorDetail detail;
  detail.reason = ErrorReason::kStorageFull;
  detail.retry_after = kStorageFullRetryAfter;
  return MakeError(absl::StatusCode::kUnavailable, std::move(detail),
                   "the gateway's storage is full; nothing was stored");
}

absl::Status ErrnoError(int error_number, std::string_view what) {
  if (MeansStorageFull(error_number)) return StorageFullError();
  return MakeError(
      absl::StatusCode::kUnavailable, ErrorReason::kStoreUnavailable,
      absl::StrCat(std::string(what), ": ", std::system_category().message(error_number)));
}

}  // namespace lumaedit
