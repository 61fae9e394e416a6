#include "client/stream_loop.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lumaedit::client {
namespace {

// After the last message the OK status is already on its way; nobody waits longer for it.
constexpr absl::Duration kFarewell = absl::Seconds(1);
// A status is owed at once after a stream's last message.
constexpr absl::Duration kStatusLimit = absl::Seconds(5);

}  // namespace

bool IsPermanent(const ClientError& error) {
  switch (error.code) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

StreamLoop::StreamLoop(std::shared_ptr<Connection> connection, StreamLimits limits)
    : connection_(std::move(connection)),
      limits_(std::move(limits)),
      deadline_(Deadline::After(limits_.timeout)),
      outage_(Deadline::After(connection_->reached()
                                  ? limits_.max_outage
                                  : std::min(limits_.max_outage, limits_.connect_timeout))),
      backoff_(limits_.backoff) {}

void StreamLoop::Heard() {
  connection_->SetReached();
  outage_ = Deadline::After(limits_.max_outage);
}

std::optional<ClientError> StreamLoop::Stopped() const {
  if (limits_.stop.stop_requested()) {
    return LocalError(absl::StatusCode::kCancelled, "the watch was cancelled by its caller");
  }
  if (deadline_.Passed()) {
    return LocalError(absl::StatusCode::kDeadlineExceeded, "the watch's time limit is over");
  }
  return std::nullopt;
}

std::optional<ClientError> StreamLoop::WaitAfter(const ClientError& error) {
  const absl::Duration wait = backoff_.Next(error.retry_after);
  if (outage_.Left() <= wait) return error;
  if (limits_.on_interrupted) limits_.on_interrupted(error, wait);
  connection_->Pause(std::min(wait, deadline_.Left()), limits_.stop);
  ++resumes_;
  return Stopped();
}

template <typename Response>
std::optional<ClientError> StreamLoop::Run(
    const typename WatchStream<Response>::Prepare& prepare,
    const std::function<Result<Taken>(const Response&)>& take,
    const std::function<bool(const ClientError&)>& ends) {
  if (auto stopped = Stopped()) return stopped;
  for (;;) {
    const std::optional<ClientError> broken = ReadOne<Response>(prepare, take);
    if (!broken.has_value()) return std::nullopt;
    if (auto stopped = Stopped()) return stopped;
    if (ends(*broken)) return broken;
    if (auto over = WaitAfter(*broken)) return over;
  }
}

template <typename Response>
std::optional<ClientError> StreamLoop::ReadOne(
    const typename WatchStream<Response>::Prepare& prepare,
    const std::function<Result<Taken>(const Response&)>& take) {
  using Read = typename WatchStream<Response>::Read;
  const Connection::Line line = connection_->Current();
  const Deadline young = Deadline::After(limits_.backoff.cap);
  WatchStream<Response> stream(*line.stub, prepare, limits_.stop);
  Response message;
  // What has spoken is no outage: it may be quiet as long as its heartbeat allows, and an outage
  // begins when it breaks.
  bool has_spoken = false;
  const auto broken = [&](ClientError error) {
    if (has_spoken) outage_ = Deadline::After(limits_.max_outage);
    return error;
  };
  for (;;) {
    absl::Duration limit = std::min(limits_.silence, deadline_.Left());
    if (!has_spoken) limit = std::min(limit, outage_.Left());
    switch (stream.Next(message, limit)) {
      case Read::kMessage: {
        has_spoken = true;
        Heard();
        const Result<Taken> taken = take(message);
        if (!taken.ok()) return taken.error();
        if (*taken != Taken::kGoOn) {
          stream.Finish(*taken == Taken::kLast ? kFarewell : absl::ZeroDuration());
          return std::nullopt;
        }
        break;
      }
      case Read::kSilent:
        if (!deadline_.Passed()) connection_->Replace(line.number);
        return broken(
            LocalError(absl::StatusCode::kUnavailable,
                       absl::StrCat("the gateway was silent for ", absl::FormatDuration(limit))));
      case Read::kEnded: {
        // A stream that lived is no sign of trouble, whatever ended it.
        if (young.Passed()) backoff_.Reset();
        const grpc::Status status = stream.Finish(kStatusLimit);
        if (status.ok()) {
          return broken(LocalError(absl::StatusCode::kUnavailable,
                                   "the stream ended before its last message"));
        }
        ClientError error = ErrorFromStatus(status);
        if (error.from_gateway) Heard();
        return broken(std::move(error));
      }
    }
  }
}

template std::optional<ClientError> StreamLoop::Run<v1::WatchJobResponse>(
    const WatchStream<v1::WatchJobResponse>::Prepare&,
    const std::function<Result<Taken>(const v1::WatchJobResponse&)>&,
    const std::function<bool(const ClientError&)>&);
template std::optional<ClientError> StreamLoop::Run<v1::WatchJobsResponse>(
    const WatchStream<v1::WatchJobsResponse>::Prepare&,
    const std::function<Result<Taken>(const v1::WatchJobsResponse&)>&,
    const std::function<bool(const ClientError&)>&);

}  // namespace lumaedit::client
