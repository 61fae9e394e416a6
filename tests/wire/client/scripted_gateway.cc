#include "tests/wire/client/scripted_gateway.h"

#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace lumaedit::client {

Step Send(v1::Transition transition) {
  Step step;
  *step.message.mutable_transition() = std::move(transition);
  return step;
}

Step Send(std::int32_t sequence, v1::Job::State state) {
  return Send(MakeTransition(sequence, state));
}

Step CaughtUp(const v1::Job& job) {
  Step step;
  *step.message.mutable_caught_up()->mutable_job() = job;
  return step;
}

Step Heartbeat(std::int64_t last_poll_seconds) {
  Step step;
  auto& heartbeat = *step.message.mutable_heartbeat();
  if (last_poll_seconds != 0) heartbeat.mutable_last_poll_time()->set_seconds(last_poll_seconds);
  return step;
}

Step AwaitGate(std::string gate) {
  Step step;
  step.kind = Step::Kind::kAwaitGate;
  step.gate = std::move(gate);
  return step;
}

Step Silence() {
  Step step;
  step.kind = Step::Kind::kSilence;
  return step;
}

Step Reset() {
  Step step;
  step.kind = Step::Kind::kReset;
  return step;
}

Step End(grpc::Status status) {
  Step step;
  step.kind = Step::Kind::kEnd;
  step.status = std::move(status);
  return step;
}

v1::Transition MakeTransition(std::int32_t sequence, v1::Job::State state) {
  v1::Transition transition;
  transition.set_sequence(sequence);
  transition.set_state(state);
  transition.mutable_record_time()->set_seconds(1790000000 + sequence);
  return transition;
}

v1::Job MakeJob(std::int32_t sequence, v1::Job::State state) {
  v1::Job job;
  job.set_id("3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10");
  job.set_sequence(sequence);
  job.set_state(state);
  job.mutable_create_time()->set_seconds(1790000000);
  return job;
}

grpc::Status Failure(grpc::StatusCode code, const ClientError& details) {
  google::rpc::Status trailer;
  trailer.set_code(code);
  trailer.set_message(details.message);
  google::rpc::ErrorInfo info;
  info.set_domain("lumaedit.v1");
  info.set_reason(details.reason_name);
  for (const auto& [key, value] : details.metadata) (*info.mutable_metadata())[key] = value;
  trailer.add_details()->PackFrom(info);
  if (!details.violations.empty()) {
    google::rpc::BadRequest bad_request;
    for (const FieldViolation& violation : details.violations) {
      auto* added = bad_request.add_field_violations();
      added->set_field(violation.field);
      added->set_description(violation.description);
    }
    trailer.add_details()->PackFrom(bad_request);
  }
  if (details.retry_after.has_value()) {
    google::rpc::RetryInfo retry;
    const std::int64_t nanos = absl::ToInt64Nanoseconds(*details.retry_after);
    retry.mutable_retry_delay()->set_seconds(nanos / 1000000000);
    retry.mutable_retry_delay()->set_nanos(static_cast<std::int32_t>(nanos % 1000000000));
    trailer.add_details()->PackFrom(retry);
  }
  return grpc::Status(code, details.message, trailer.SerializeAsString());
}

grpc::Status Failure(grpc::StatusCode code, const std::string& reason, double retry_after) {
  ClientError details;
  details.message = "scripted";
  details.reason_name = reason;
  if (retry_after >= 0) details.retry_after = absl::Seconds(retry_after);
  return Failure(code, details);
}

ScriptedGateway::ScriptedGateway(std::shared_ptr<grpc::ServerCredentials> credentials,
                                 const std::string& address) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(
      address, credentials != nullptr ? credentials : grpc::InsecureServerCredentials(), &port_);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

ScriptedGateway::~ScriptedGateway() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  server_->Shutdown(std::chrono::system_clock::now());
}

void ScriptedGateway::AddWatch(std::vector<Step> script) {
  const std::lock_guard lock(mutex_);
  scripts_.push_back(std::move(script));
}

void ScriptedGateway::SetHistory(std::int32_t count) {
  const std::lock_guard lock(mutex_);
  history_ = count;
}

void ScriptedGateway::AddSubmit(Submit submit) {
  const std::lock_guard lock(mutex_);
  submit_scripts_.push_back(std::move(submit));
}

void ScriptedGateway::OpenGate(const std::string& gate) {
  {
    const std::lock_guard lock(mutex_);
    open_gates_.push_back(gate);
  }
  changed_.notify_all();
}

std::vector<v1::WatchJobRequest> ScriptedGateway::watches() const {
  const std::lock_guard lock(mutex_);
  return watches_;
}

std::vector<v1::SubmitEditRequest> ScriptedGateway::submits() const {
  const std::lock_guard lock(mutex_);
  return submits_;
}

bool ScriptedGateway::AwaitWatches(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return watches_.size() >= count; });
}

bool ScriptedGateway::AwaitLocked(std::unique_lock<std::mutex>& lock, grpc::ServerContext& context,
                                  const std::string* gate) {
  const auto open = [&] {
    return gate != nullptr &&
           std::find(open_gates_.begin(), open_gates_.end(), *gate) != open_gates_.end();
  };
  // The sync API tells nobody of a cancel: it must be asked.
  while (!open()) {
    if (stopping_ || context.IsCancelled()) return false;
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
  return true;
}

grpc::Status ScriptedGateway::SubmitEdit(grpc::ServerContext* context,
                                         const v1::SubmitEditRequest* request, v1::Job* job) {
  Submit submit;
  {
    const std::lock_guard lock(mutex_);
    submits_.push_back(*request);
    if (!submit_scripts_.empty()) {
      submit = std::move(submit_scripts_.front());
      submit_scripts_.pop_front();
    }
  }
  if (submit) return submit(*context, *request, job);
  *job = MakeJob(1, v1::Job::STATE_PENDING);
  job->set_request_id(request->request_id());
  return grpc::Status::OK;
}

grpc::Status ScriptedGateway::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                     v1::Job* job) {
  if (on_get) return on_get(request->job_id(), job);
  return Failure(grpc::StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
}

grpc::Status ScriptedGateway::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                       v1::ListJobsResponse* response) {
  return on_list ? on_list(*request, response) : grpc::Status::OK;
}

grpc::Status ScriptedGateway::QuoteEdit(grpc::ServerContext*, const v1::QuoteEditRequest* request,
                                        v1::QuoteEditResponse* response) {
  return on_quote ? on_quote(*request, response) : grpc::Status::OK;
}

grpc::Status ScriptedGateway::GetBudget(grpc::ServerContext*, const v1::GetBudgetRequest*,
                                        v1::Budget* response) {
  return on_budget ? on_budget(response) : grpc::Status::OK;
}

grpc::Status ScriptedGateway::UploadSource(grpc::ServerContext* context,
                                           grpc::ServerReader<v1::UploadSourceRequest>* reader,
                                           v1::Source* response) {
  if (on_upload) return on_upload(*context, *reader, response);
  return Failure(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED");
}

grpc::Status ScriptedGateway::GetSource(grpc::ServerContext*, const v1::GetSourceRequest* request,
                                        v1::Source* response) {
  if (on_source) return on_source(request->source_id(), response);
  return Failure(grpc::StatusCode::NOT_FOUND, "SOURCE_NOT_FOUND");
}

grpc::Status ScriptedGateway::CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                                        v1::CancelJobResponse* response) {
  if (on_cancel) return on_cancel(request->job_id(), response);
  return Failure(grpc::StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
}

grpc::Status ScriptedGateway::WaitJob(grpc::ServerContext*, const v1::WaitJobRequest* request,
                                      v1::WaitJobResponse* response) {
  return on_wait ? on_wait(*request, response) : grpc::Status::OK;
}

grpc::Status ScriptedGateway::ResolveJob(grpc::ServerContext*, const v1::ResolveJobRequest* request,
                                         v1::Job* response) {
  return on_resolve ? on_resolve(*request, response) : grpc::Status::OK;
}

grpc::Status ScriptedGateway::RefreshOutput(grpc::ServerContext*,
                                            const v1::RefreshOutputRequest* request,
                                            v1::Job* response) {
  return on_refresh ? on_refresh(request->job_id(), response) : grpc::Status::OK;
}

grpc::Status ScriptedGateway::WatchJobs(grpc::ServerContext* context,
                                        const v1::WatchJobsRequest* request, JobsWriter* writer) {
  return on_watch_jobs ? on_watch_jobs(*context, *request, *writer) : grpc::Status::OK;
}

void ScriptedGateway::AwaitGone(grpc::ServerContext& context) {
  std::unique_lock lock(mutex_);
  AwaitLocked(lock, context, nullptr);
}

grpc::Status ScriptedGateway::WatchJob(grpc::ServerContext* context,
                                       const v1::WatchJobRequest* request,
                                       grpc::ServerWriter<v1::WatchJobResponse>* writer) {
  std::vector<Step> script;
  {
    const std::lock_guard lock(mutex_);
    watches_.push_back(*request);
    if (!scripts_.empty()) {
      script = std::move(scripts_.front());
      scripts_.pop_front();
    } else {
      for (std::int32_t n = request->after_sequence() + 1; n <= history_; ++n) {
        script.push_back(
            Send(n, n == history_ ? v1::Job::STATE_SUCCEEDED : v1::Job::STATE_PROCESSING));
      }
    }
  }
  changed_.notify_all();
  for (const Step& step : script) {
    switch (step.kind) {
      case Step::Kind::kMessage:
        if (!writer->Write(step.message)) return grpc::Status::CANCELLED;
        break;
      case Step::Kind::kAwaitGate:
      case Step::Kind::kSilence: {
        std::unique_lock lock(mutex_);
        const bool gate = step.kind == Step::Kind::kAwaitGate;
        if (!AwaitLocked(lock, *context, gate ? &step.gate : nullptr)) {
          return grpc::Status::CANCELLED;
        }
        break;
      }
      case Step::Kind::kReset:
        context->TryCancel();
        return grpc::Status::CANCELLED;
      case Step::Kind::kEnd:
        return step.status;
    }
  }
  return grpc::Status::OK;
}

}  // namespace lumaedit::client
