#include "client/unary_call.h"

namespace lumaedit::client {
namespace {

// Whether another try may help. Every unary call here is safe to repeat: reads by nature, Submit
// by its request_id, Cancel as a repeat answers with the first result, Resolve by its sequence.
bool MayRepeat(const ClientError& error) {
  switch (error.code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
      // A reset stream arrives under these codes; what the gateway itself says comes with its
      // reason.
      return !error.from_gateway;
    case absl::StatusCode::kResourceExhausted:
      return error.reason == v1::ERROR_REASON_OVERLOADED;
    default:
      return false;
  }
}

}  // namespace

UnaryCall::UnaryCall(const UnaryLimits& limits, Connection& connection, const CallOptions& call)
    : limits_(limits),
      connection_(connection),
      call_(call),
      deadline_(Deadline::After(call.timeout)),
      first_contact_(Deadline::After(std::min(call.timeout, limits.connect_timeout))),
      backoff_(limits.backoff) {}

absl::Duration UnaryCall::Left() const {
  return connection_.reached() ? deadline_.Left()
                               : std::min(deadline_.Left(), first_contact_.Left());
}

bool UnaryCall::WaitForNextTry(const Connection::Line& line, ClientError& error) {
  if (call_.stop.stop_requested()) {
    error = LocalError(absl::StatusCode::kCancelled, "the call was cancelled by its caller");
    return false;
  }
  if (error.from_gateway || line.channel->GetState(false) == GRPC_CHANNEL_READY) {
    connection_.SetReached();
  }
  if (!MayRepeat(error)) return false;
  if (error.code == absl::StatusCode::kDeadlineExceeded) connection_.Replace(line.number);
  const absl::Duration wait = backoff_.Next(error.retry_after);
  if (Left() <= wait) return false;
  if (call_.on_retry) call_.on_retry(error, wait);
  if (connection_.Pause(wait, call_.stop)) return true;
  error = LocalError(absl::StatusCode::kCancelled, "the call was cancelled by its caller");
  return false;
}

}  // namespace lumaedit::client
