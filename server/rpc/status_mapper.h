// absl::Status with an ErrorDetail -> the status of a call with its trailer (AIP-193). Any thread.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/job/error.h"

namespace lumaedit {

// ErrorInfo.domain.
inline constexpr char kErrorDomain[] = "lumaedit.v1";

// google.rpc.Status in grpc-status-details-bin holds ErrorInfo always, BadRequest with the first 20
// violations (ErrorInfo.metadata["violation_count"] has their number), QuotaFailure for
// kBudgetExceeded, RetryInfo where a retry may help. Texts of INTERNAL faults are ours alone: the
// caller gets a fixed one. The whole stays below the 8 KB that clients accept as metadata.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The reason that the caller is told.
ErrorReason ReasonOf(const absl::Status& status);

// Does the text of `status` stay behind, so that it belongs into the log?
bool IsHiddenFault(const absl::Status& status);

}  // namespace lumaedit
