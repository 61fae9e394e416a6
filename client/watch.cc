#include "client/watch.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/deadline.h"
#include "client/job_state.h"
#include "client/watch_stream.h"

namespace lumaedit::client {
namespace {

// After the final transition the OK status is already on its way; nobody waits longer for it.
constexpr absl::Duration kFarewell = absl::Seconds(1);
// A status is owed at once after a stream's last message.
constexpr absl::Duration kStatusLimit = absl::Seconds(5);

bool IsPermanent(absl::StatusCode code) {
  switch (code) {
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

void SetDuration(absl::Duration from, google::protobuf::Duration* to) {
  to->set_seconds(absl::IDivDuration(from, absl::Seconds(1), &from));
  to->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(from)));
}

class Watch {
 public:
  Watch(std::shared_ptr<Connection> connection, absl::Duration connect_timeout,
        const std::string& job_id, std::int32_t after_sequence, const TransitionCallback& callback,
        const WatchOptions& options)
      : connection_(std::move(connection)),
        connect_timeout_(connect_timeout),
        job_id_(job_id),
        callback_(callback),
        options_(options),
        silence_limit_(options.silence_limit > absl::ZeroDuration()
                           ? options.silence_limit
                           : 3 * options.heartbeat_interval),
        deadline_(Deadline::After(options.timeout)),
        outage_(Deadline::After(OutageLimit())),
        backoff_(options.backoff) {
    end_.last_sequence = after_sequence;
  }

  Result<WatchEnd> Run();

 private:
  // Reads one stream to its end. Unset when the watch itself is over, else why the stream broke.
  std::optional<ClientError> ReadStream();
  // Takes one message. True when the watch is over; an error when the stream is broken.
  Result<bool> Take(const v1::WatchJobResponse& message);
  Result<bool> TakeTransition(const v1::Transition& transition);
  bool TakeJob(const v1::Job& job);
  // The error that ends the watch now, if there is one.
  std::optional<ClientError> Stopped() const;
  absl::Duration OutageLimit() const {
    return connection_->reached() ? options_.max_outage
                                  : std::min(options_.max_outage, connect_timeout_);
  }
  void Heard() {
    connection_->SetReached();
    outage_ = Deadline::After(options_.max_outage);
  }

  const std::shared_ptr<Connection> connection_;
  const absl::Duration connect_timeout_;
  const std::string job_id_;
  const TransitionCallback& callback_;
  const WatchOptions& options_;
  const absl::Duration silence_limit_;
  const Deadline deadline_;
  Deadline outage_;
  Backoff backoff_;
  WatchEnd end_;
};

Result<WatchEnd> Watch::Run() {
  for (;;) {
    if (auto stopped = Stopped()) return *std::move(stopped);
    const std::optional<ClientError> broken = ReadStream();
    if (!broken.has_value()) return end_;
    if (auto stopped = Stopped()) return *std::move(stopped);
    if (IsPermanent(broken->code)) return *broken;
    const absl::Duration wait = backoff_.Next(broken->retry_after);
    if (outage_.Left() <= wait) return *broken;
    if (options_.on_interrupted) options_.on_interrupted(*broken, wait);
    connection_->Pause(std::min(wait, deadline_.Left()), options_.stop);
    ++end_.resumes;
  }
}

std::optional<ClientError> Watch::Stopped() const {
  if (options_.stop.stop_requested()) {
    return LocalError(absl::StatusCode::kCancelled, "the watch was cancelled by its caller");
  }
  if (deadline_.Passed()) {
    return LocalError(absl::StatusCode::kDeadlineExceeded, "the watch's time limit is over");
  }
  return std::nullopt;
}

std::optional<ClientError> Watch::ReadStream() {
  v1::WatchJobRequest request;
  request.set_job_id(job_id_);
  request.set_after_sequence(end_.last_sequence);
  SetDuration(options_.heartbeat_interval, request.mutable_heartbeat_interval());

  const Connection::Line line = connection_->Current();
  const Deadline young = Deadline::After(options_.backoff.cap);
  WatchStream stream(*line.stub, request, options_.stop);
  v1::WatchJobResponse message;
  for (;;) {
    const absl::Duration limit = std::min({silence_limit_, deadline_.Left(), outage_.Left()});
    switch (stream.Next(message, limit)) {
      case WatchStream::Read::kMessage: {
        Heard();
        Result<bool> over = Take(message);
        if (!over.ok()) return over.error();
        if (*over) {
          stream.Finish(IsFinal(end_.state) ? kFarewell : absl::ZeroDuration());
          return std::nullopt;
        }
        break;
      }
      case WatchStream::Read::kSilent:
        if (!deadline_.Passed()) connection_->Replace(line.number);
        return LocalError(absl::StatusCode::kUnavailable,
                          absl::StrCat("the gateway was silent for ", absl::FormatDuration(limit)));
      case WatchStream::Read::kEnded: {
        // A stream that lived is no sign of trouble, whatever ended it.
        if (young.Passed()) backoff_.Reset();
        const grpc::Status status = stream.Finish(kStatusLimit);
        if (status.ok()) {
          return LocalError(absl::StatusCode::kUnavailable,
                            "the stream ended without the final transition");
        }
        ClientError error = ErrorFromStatus(status);
        if (error.from_gateway) Heard();
        return error;
      }
    }
  }
}

Result<bool> Watch::Take(const v1::WatchJobResponse& message) {
  switch (message.message_case()) {
    case v1::WatchJobResponse::kTransition:
      return TakeTransition(message.transition());
    case v1::WatchJobResponse::kCaughtUp:
      return TakeJob(message.caught_up().job());
    case v1::WatchJobResponse::kHeartbeat:
      if (options_.on_heartbeat) options_.on_heartbeat(message.heartbeat());
      return false;
    case v1::WatchJobResponse::MESSAGE_NOT_SET:
      break;  // of a newer gateway: not for us
  }
  return false;
}

bool Watch::TakeJob(const v1::Job& job) {
  const bool stop = options_.on_caught_up && options_.on_caught_up(job) == WatchStep::kStop;
  // A job that has moved on since the replay is told by the transitions that follow.
  if (job.sequence() == end_.last_sequence) end_.state = job.state();
  // A watch that begins after a final job's last transition has nothing to deliver.
  return stop || (job.sequence() == end_.last_sequence && IsFinal(job.state()));
}

Result<bool> Watch::TakeTransition(const v1::Transition& transition) {
  if (transition.sequence() <= end_.last_sequence) return false;
  if (transition.sequence() != end_.last_sequence + 1) {
    return LocalError(
        absl::StatusCode::kDataLoss,
        absl::StrCat("transition ", transition.sequence(), " came after ", end_.last_sequence));
  }
  end_.last_sequence = transition.sequence();
  end_.state = transition.state();
  backoff_.Reset();
  const bool stop = callback_(transition) == WatchStep::kStop;
  return stop || IsFinal(transition.state());
}

}  // namespace

Result<WatchEnd> RunWatch(const std::shared_ptr<Connection>& connection,
                          absl::Duration connect_timeout, const std::string& job_id,
                          std::int32_t after_sequence, const TransitionCallback& on_transition,
                          const WatchOptions& options) {
  return Watch(connection, connect_timeout, job_id, after_sequence, on_transition, options).Run();
}

}  // namespace lumaedit::client
