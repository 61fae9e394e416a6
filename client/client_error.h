// Why a call failed, with everything the gateway said about it.
//
// A failed call is not a failed edit: an edit that failed is a Job in state FAILED with Job.error,
// and the call that reads it succeeds. A plain value: copy it freely, from any thread.
#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lumaedit/v1/error_reason.pb.h"

namespace lumaedit::client {

// One wrong field of the request, named as in the proto ("edit.prompt").
struct FieldViolation {
  std::string field;
  std::string description;
};

struct ClientError {
  // The gRPC status code; numbers are the same in Abseil.
  absl::StatusCode code = absl::StatusCode::kUnknown;

  // The gateway's own text, for people. Never decide by it. It may hold any character: clean it
  // before it goes to a terminal.
  std::string message;

  // Why, as a constant. ERROR_REASON_UNSPECIFIED when the gateway gave none (a proxy answered, the
  // connection broke) or one that this build does not know; reason_name then holds its text.
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  std::string reason_name;

  // ErrorInfo.metadata, such as "newest_sequence" for SEQUENCE_OUT_OF_RANGE.
  std::map<std::string, std::string> metadata;

  // The first violations the gateway found, in its order.
  std::vector<FieldViolation> violations;

  // How long the gateway asks to wait before another try; unset when it does not say.
  std::optional<absl::Duration> retry_after;

  // Whether the gateway itself spoke: an ErrorInfo of domain "lumaedit.v1" came with the status.
  bool from_gateway = false;

  // One line for a log: code, reason and message.
  std::string ToString() const;
};

// Reads a failed status and its google.rpc.Status trailer. A trailer that cannot be read is
// ignored: the code and the text still stand. `status` must not be OK.
ClientError ErrorFromStatus(const grpc::Status& status);

// An error of this side: a missing file, a cancel, a deadline.
ClientError LocalError(absl::StatusCode code, std::string message);

}  // namespace lumaedit::client
