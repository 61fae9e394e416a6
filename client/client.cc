#include "client/client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "client/deadline.h"
#include "client/request_id.h"

namespace lumaedit::client {
namespace {

// Whether another try may help. Every unary call here is safe to repeat: reads by nature, Submit
// by its request_id, Cancel as a repeat answers with the first result.
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

// One call with its tries.
class UnaryCall {
 public:
  UnaryCall(const ClientOptions& options, Connection& connection, const CallOptions& call)
      : options_(options),
        connection_(connection),
        call_(call),
        deadline_(Deadline::After(call.timeout)),
        first_contact_(Deadline::After(std::min(call.timeout, options.connection.connect_timeout))),
        backoff_(options.backoff) {}

  template <typename Request, typename Response>
  Result<Response> Run(grpc::Status (v1::EditService::Stub::*method)(grpc::ClientContext*,
                                                                     const Request&, Response*),
                       const Request& request) {
    for (;;) {
      Response response;
      const Connection::Line line = connection_.Current();
      grpc::Status status;
      {
        grpc::ClientContext context;
        context.set_deadline(GprAfter(std::min(options_.attempt_timeout, Left())));
        const std::stop_callback cancel(call_.stop, [&context] { context.TryCancel(); });
        status = ((*line.stub).*method)(&context, request, &response);
      }
      if (status.ok()) {
        connection_.SetReached();
        return response;
      }
      ClientError error = ErrorFromStatus(status);
      if (!WaitForNextTry(line, error)) return error;
    }
  }

 private:
  absl::Duration Left() const {
    return connection_.reached() ? deadline_.Left()
                                 : std::min(deadline_.Left(), first_contact_.Left());
  }

  // Waits until the next try is due. False when there is none; `error` is then the call's.
  bool WaitForNextTry(const Connection::Line& line, ClientError& error) {
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

  const ClientOptions& options_;
  Connection& connection_;
  const CallOptions& call_;
  const Deadline deadline_;
  const Deadline first_contact_;
  Backoff backoff_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  Result<std::shared_ptr<Connection>> connection = Connection::Create(options.connection);
  if (!connection.ok()) return connection.error();
  return std::unique_ptr<Client>(new Client(options, std::move(*connection)));
}

Client::Client(const ClientOptions& options, std::shared_ptr<Connection> connection)
    : options_(options), connection_(std::move(connection)) {}

Result<v1::Job> Client::Submit(v1::SubmitEditRequest request, const CallOptions& options) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return UnaryCall(options_, *connection_, options)
      .Run(&v1::EditService::Stub::SubmitEdit, request);
}

Result<v1::Job> Client::Get(const std::string& job_id, const CallOptions& options) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  return UnaryCall(options_, *connection_, options).Run(&v1::EditService::Stub::GetJob, request);
}

Result<v1::ListJobsResponse> Client::List(const v1::ListJobsRequest& request,
                                          const CallOptions& options) {
  return UnaryCall(options_, *connection_, options).Run(&v1::EditService::Stub::ListJobs, request);
}

Result<v1::CancelJobResponse> Client::Cancel(const std::string& job_id,
                                             const CallOptions& options) {
  v1::CancelJobRequest request;
  request.set_job_id(job_id);
  return UnaryCall(options_, *connection_, options).Run(&v1::EditService::Stub::CancelJob, request);
}

Result<v1::QuoteEditResponse> Client::Quote(const v1::QuoteEditRequest& request,
                                            const CallOptions& options) {
  return UnaryCall(options_, *connection_, options).Run(&v1::EditService::Stub::QuoteEdit, request);
}

Result<v1::Budget> Client::GetBudget(const CallOptions& options) {
  return UnaryCall(options_, *connection_, options)
      .Run(&v1::EditService::Stub::GetBudget, v1::GetBudgetRequest());
}

Result<WatchEnd> Client::Watch(const std::string& job_id, std::int32_t after_sequence,
                               const TransitionCallback& on_transition,
                               const WatchOptions& options) {
  return RunWatch(connection_, options_.connection.connect_timeout, job_id, after_sequence,
                  on_transition, options);
}

}  // namespace lumaedit::client
