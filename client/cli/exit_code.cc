#include "client/cli/exit_code.h"

namespace lumaedit::client::cli {

ExitCode ExitCodeOf(v1::Job::State state) {
  switch (state) {
    case v1::Job::STATE_FAILED:
      return kExitEditFailed;
    case v1::Job::STATE_HELD:
      return kExitHeld;
    case v1::Job::STATE_CANCELLED:
      return kExitCancelled;
    case v1::Job::STATE_EXPIRED:
      return kExitExpired;
    default:
      return kExitOk;
  }
}

ExitCode ExitCodeOf(const ClientError& error) {
  switch (error.reason) {
    case v1::ERROR_REASON_PRICE_ABOVE_LIMIT:
    case v1::ERROR_REASON_BUDGET_EXCEEDED:
    case v1::ERROR_REASON_QUOTA_EXCEEDED:
      return kExitRefused;
    case v1::ERROR_REASON_OVERLOADED:
    case v1::ERROR_REASON_TOO_MANY_WATCHES:
    case v1::ERROR_REASON_UPSTREAM_BUSY:
      return kExitUnavailable;
    default:
      break;
  }
  switch (error.code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return kExitUnavailable;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return kExitConflict;
    case absl::StatusCode::kResourceExhausted:
      return kExitRefused;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kExitNotAllowed;
    default:
      return kExitGateway;
  }
}

std::string ExitCodeHelp() {
  return "Exit codes:\n"
         "  0    done; of a watched job: it SUCCEEDED\n"
         "  1    the edit FAILED\n"
         "  2    wrong arguments, or the gateway refused a field or the video\n"
         "  3    the job is HELD: a person must decide\n"
         "  4    the job was CANCELLED\n"
         "  5    the job EXPIRED\n"
         "  6    no such job, or no such source\n"
         "  7    no answer: connection, time limit, overload\n"
         "  8    conflict: request id used for another edit, too late to cancel\n"
         "  9    refused: price limit, budget, quota\n"
         "  10   not authenticated, or not permitted\n"
         "  11   a fault of the gateway, or the address is not a gateway\n"
         "  12   the output could not be written\n"
         "  13   the output cannot be fetched: gone, or its server refuses it\n"
         "  130  interrupted by Ctrl-C (143 by SIGTERM); the job goes on, an upload can\n";
}

}  // namespace lumaedit::client::cli
