#include "client/watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/durations.h"
#include "client/job_state.h"
#include "client/stream_loop.h"

namespace lumaedit::client {
namespace {

class Watch {
 public:
  Watch(std::shared_ptr<Connection> connection, absl::Duration connect_timeout,
        const std::string& job_id, std::int32_t after_sequence, const TransitionCallback& callback,
        const WatchOptions& options)
      : job_id_(job_id),
        callback_(callback),
        options_(options),
        loop_(std::move(connection), LimitsOf(options, connect_timeout)) {
    end_.last_sequence = after_sequence;
  }

  Result<WatchEnd> Run();

 private:
  // An error when the stream is broken.
  Result<Taken> Take(const v1::WatchJobResponse& message);
  Result<Taken> TakeTransition(const v1::Transition& transition);
  Taken TakeJob(const v1::Job& job);

  const std::string job_id_;
  const TransitionCallback& callback_;
  const WatchOptions& options_;
  StreamLoop loop_;
  WatchEnd end_;
};

Result<WatchEnd> Watch::Run() {
  const auto prepare = [this](v1::EditService::Stub& stub, grpc::ClientContext* context,
                              grpc::CompletionQueue* queue) {
    v1::WatchJobRequest request;
    request.set_job_id(job_id_);
    request.set_after_sequence(end_.last_sequence);
    SetDuration(options_.heartbeat_interval, request.mutable_heartbeat_interval());
    return stub.PrepareAsyncWatchJob(context, request, queue);
  };
  const auto take = [this](const v1::WatchJobResponse& message) { return Take(message); };
  const auto error = loop_.Run<v1::WatchJobResponse>(prepare, take, &IsPermanent);
  if (error.has_value()) return *error;
  end_.resumes = loop_.resumes();
  return end_;
}

Result<Taken> Watch::Take(const v1::WatchJobResponse& message) {
  switch (message.message_case()) {
    case v1::WatchJobResponse::kTransition:
      return TakeTransition(message.transition());
    case v1::WatchJobResponse::kCaughtUp:
      return TakeJob(message.caught_up().job());
    case v1::WatchJobResponse::kHeartbeat:
      if (options_.on_heartbeat) options_.on_heartbeat(message.heartbeat());
      return Taken::kGoOn;
    case v1::WatchJobResponse::MESSAGE_NOT_SET:
      break;  // of a newer gateway: not for us
  }
  return Taken::kGoOn;
}

Taken Watch::TakeJob(const v1::Job& job) {
  const bool stop = options_.on_caught_up && options_.on_caught_up(job) == WatchStep::kStop;
  // A job that has moved on since the replay is told by the transitions that follow.
  if (job.sequence() == end_.last_sequence) {
    end_.state = job.state();
    // A watch that begins after a final job's last transition has nothing to deliver.
    if (IsFinal(job.state())) return Taken::kLast;
  }
  return stop ? Taken::kStop : Taken::kGoOn;
}

Result<Taken> Watch::TakeTransition(const v1::Transition& transition) {
  if (transition.sequence() <= end_.last_sequence) return Taken::kGoOn;
  if (transition.sequence() != end_.last_sequence + 1) {
    return LocalError(
        absl::StatusCode::kDataLoss,
        absl::StrCat("transition ", transition.sequence(), " came after ", end_.last_sequence));
  }
  end_.last_sequence = transition.sequence();
  end_.state = transition.state();
  loop_.Progress();
  const bool stop = callback_(transition) == WatchStep::kStop;
  if (IsFinal(transition.state())) return Taken::kLast;
  return stop ? Taken::kStop : Taken::kGoOn;
}

}  // namespace

StreamLimits LimitsOf(const FollowOptions& options, absl::Duration connect_timeout) {
  StreamLimits limits;
  limits.silence = options.silence_limit > absl::ZeroDuration() ? options.silence_limit
                                                                : 3 * options.heartbeat_interval;
  limits.timeout = options.timeout;
  limits.max_outage = options.max_outage;
  limits.connect_timeout = connect_timeout;
  limits.backoff = options.backoff;
  limits.stop = options.stop;
  limits.on_interrupted = options.on_interrupted;
  return limits;
}

Result<WatchEnd> RunWatch(const std::shared_ptr<Connection>& connection,
                          absl::Duration connect_timeout, const std::string& job_id,
                          std::int32_t after_sequence, const TransitionCallback& on_transition,
                          const WatchOptions& options) {
  return Watch(connection, connect_timeout, job_id, after_sequence, on_transition, options).Run();
}

}  // namespace lumaedit::client
