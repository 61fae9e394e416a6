#include "client/client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/request_id.h"
#include "client/unary_call.h"

namespace lumaedit::client {
namespace {

// Whether the job looks as this decision leaves it.
bool IsResolvedBy(const v1::ResolveJobRequest& request, const v1::Job& job) {
  if (job.sequence() <= request.expected_sequence()) return false;
  if (request.has_adopt_upstream_id()) return job.upstream_id() == request.adopt_upstream_id();
  return job.error().reason() == v1::ERROR_REASON_SUBMISSION_UNRESOLVED;
}

}  // namespace

Result<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  Result<std::shared_ptr<Connection>> connection = Connection::Create(options.connection);
  if (!connection.ok()) return connection.error();
  return std::unique_ptr<Client>(new Client(options, std::move(*connection)));
}

Client::Client(const ClientOptions& options, std::shared_ptr<Connection> connection)
    : options_(options), connection_(std::move(connection)) {}

UnaryLimits Client::Limits() const {
  return {options_.attempt_timeout, options_.connection.connect_timeout, options_.backoff};
}

Result<v1::Job> Client::Submit(v1::SubmitEditRequest request, const CallOptions& options) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return UnaryCall(Limits(), *connection_, options)
      .Run(&v1::EditService::Stub::SubmitEdit, request);
}

Result<v1::Job> Client::Get(const std::string& job_id, const CallOptions& options) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  return UnaryCall(Limits(), *connection_, options).Run(&v1::EditService::Stub::GetJob, request);
}

Result<v1::ListJobsResponse> Client::List(const v1::ListJobsRequest& request,
                                          const CallOptions& options) {
  return UnaryCall(Limits(), *connection_, options).Run(&v1::EditService::Stub::ListJobs, request);
}

Result<v1::CancelJobResponse> Client::Cancel(const std::string& job_id,
                                             const CallOptions& options) {
  v1::CancelJobRequest request;
  request.set_job_id(job_id);
  return UnaryCall(Limits(), *connection_, options).Run(&v1::EditService::Stub::CancelJob, request);
}

Result<v1::Job> Client::Resolve(const v1::ResolveJobRequest& request, const CallOptions& options) {
  UnaryLimits limits = Limits();
  limits.attempt_timeout = options.timeout;  // the upstream's list is read in it
  UnaryCall call(limits, *connection_, options);
  Result<v1::Job> job = call.Run(&v1::EditService::Stub::ResolveJob, request);
  if (job.ok() || call.tries() == 1) return job;
  // The answer to an earlier try was lost: it may have been the one that ended the hold.
  const Result<v1::Job> now = Get(request.job_id(), options);
  return now.ok() && IsResolvedBy(request, *now) ? now : job;
}

Result<v1::Job> Client::Refresh(const std::string& job_id, const CallOptions& options) {
  UnaryLimits limits = Limits();
  limits.attempt_timeout = options.timeout;
  v1::RefreshOutputRequest request;
  request.set_job_id(job_id);
  return UnaryCall(limits, *connection_, options)
      .Run(&v1::EditService::Stub::RefreshOutput, request);
}

Result<v1::QuoteEditResponse> Client::Quote(const v1::QuoteEditRequest& request,
                                            const CallOptions& options) {
  return UnaryCall(Limits(), *connection_, options).Run(&v1::EditService::Stub::QuoteEdit, request);
}

Result<v1::Budget> Client::GetBudget(const CallOptions& options) {
  return UnaryCall(Limits(), *connection_, options)
      .Run(&v1::EditService::Stub::GetBudget, v1::GetBudgetRequest());
}

Result<v1::Source> Client::GetSource(const std::string& source_id, const CallOptions& options) {
  v1::GetSourceRequest request;
  request.set_source_id(source_id);
  return UnaryCall(Limits(), *connection_, options).Run(&v1::EditService::Stub::GetSource, request);
}

Result<v1::Source> Client::Upload(const std::string& path, UploadOptions options) {
  if (options.media_type.empty()) options.media_type = MediaTypeOf(path);
  if (options.media_type.empty()) {
    return LocalError(absl::StatusCode::kInvalidArgument,
                      absl::StrCat("the media type of ", path,
                                   " cannot be guessed from its extension: name it, such as "
                                   "video/mp4"));
  }
  Result<SourceFile> file = SourceFile::Open(path, options.stop, [&](std::int64_t bytes) {
    if (options.on_progress) options.on_progress({UploadProgress::Phase::kHashing, bytes, 0, 0});
  });
  if (!file.ok()) return file.error();
  if (options.source_id.empty()) {
    options.source_id = SourceIdOf(file->size_bytes(), file->sha256(), options.media_type);
  }
  // One try at a time: the upload's own waits hold, and its own notes are made.
  const auto ask = [&](const std::string& id) {
    CallOptions once;
    once.timeout = options_.attempt_timeout;
    once.stop = options.stop;
    return GetSource(id, once);
  };
  return RunUpload(connection_, options_.connection.connect_timeout, *file, options, ask);
}

Result<WatchEnd> Client::Watch(const std::string& job_id, std::int32_t after_sequence,
                               const TransitionCallback& on_transition,
                               const WatchOptions& options) {
  return RunWatch(connection_, options_.connection.connect_timeout, job_id, after_sequence,
                  on_transition, options);
}

Result<WatchAllEnd> Client::WatchAll(const JobTransitionCallback& on_transition,
                                     const WatchAllOptions& options) {
  return RunWatchAll(*this, connection_, options_.connection.connect_timeout, on_transition,
                     options);
}

Result<v1::Job> Client::Wait(const std::string& job_id, std::int32_t after_sequence,
                             const TransitionCallback& on_transition, const WaitOptions& options) {
  return RunWait(*connection_, options_.connection.connect_timeout, job_id, after_sequence,
                 on_transition, options);
}

}  // namespace lumaedit::client
