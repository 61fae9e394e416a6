// A gateway that does what a test tells it: each call takes the next script, so that every way a
// stream can break is written down and repeatable.
//
// Owned by a test; its handlers run on gRPC's threads. Destroying it ends every call at once.
#pragma once

#include <grpcpp/server.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/client_error.h"
#include "lumaedit/v1/edit_service.grpc.pb.h"

namespace lumaedit::client {

// A step of a watch's script.
struct Step {
  enum class Kind { kMessage, kAwaitGate, kSilence, kReset, kEnd };
  Kind kind = Kind::kMessage;
  v1::WatchJobResponse message;
  std::string gate;
  grpc::Status status;
};

Step Send(v1::Transition transition);
Step Send(std::int32_t sequence, v1::Job::State state);
Step CaughtUp(const v1::Job& job);
Step Heartbeat(std::int64_t last_poll_seconds = 0);
// Goes on when the test opens the gate.
Step AwaitGate(std::string gate);
// Says nothing until the client is gone.
Step Silence();
// RST_STREAM.
Step Reset();
Step End(grpc::Status status = grpc::Status::OK);

v1::Transition MakeTransition(std::int32_t sequence, v1::Job::State state);
v1::Job MakeJob(std::int32_t sequence, v1::Job::State state);

// A status as the gateway writes it, with its trailer.
grpc::Status Failure(grpc::StatusCode code, const ClientError& details);
// The same with a reason alone; `retry_after` below zero = none.
grpc::Status Failure(grpc::StatusCode code, const std::string& reason, double retry_after = -1);

class ScriptedGateway final : public v1::EditService::Service {
 public:
  // Listens on `address`; port 0 takes a free one.
  explicit ScriptedGateway(std::shared_ptr<grpc::ServerCredentials> credentials = nullptr,
                           const std::string& address = "127.0.0.1:0");
  ~ScriptedGateway() override;

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // The next watch does this. A watch without a script gets the transitions of SetHistory.
  void AddWatch(std::vector<Step> script);

  // A job of `count` transitions, the last one SUCCEEDED.
  void SetHistory(std::int32_t count);

  using Submit =
      std::function<grpc::Status(grpc::ServerContext&, const v1::SubmitEditRequest&, v1::Job*)>;
  // The next SubmitEdit does this; without one it answers with a PENDING job.
  void AddSubmit(Submit submit);

  // All further ones of their kind.
  std::function<grpc::Status(const std::string& job_id, v1::Job*)> on_get;
  std::function<grpc::Status(const v1::ListJobsRequest&, v1::ListJobsResponse*)> on_list;
  std::function<grpc::Status(const std::string& job_id, v1::CancelJobResponse*)> on_cancel;
  std::function<grpc::Status(const v1::QuoteEditRequest&, v1::QuoteEditResponse*)> on_quote;
  std::function<grpc::Status(v1::Budget*)> on_budget;
  std::function<grpc::Status(grpc::ServerContext&, grpc::ServerReader<v1::UploadSourceRequest>&,
                             v1::Source*)>
      on_upload;
  std::function<grpc::Status(const std::string& source_id, v1::Source*)> on_source;
  std::function<grpc::Status(const v1::WaitJobRequest&, v1::WaitJobResponse*)> on_wait;
  std::function<grpc::Status(const v1::ResolveJobRequest&, v1::Job*)> on_resolve;
  std::function<grpc::Status(const std::string& job_id, v1::Job*)> on_refresh;
  // May block in AwaitGone.
  using JobsWriter = grpc::ServerWriter<v1::WatchJobsResponse>;
  std::function<grpc::Status(grpc::ServerContext&, const v1::WatchJobsRequest&, JobsWriter&)>
      on_watch_jobs;

  // Blocks until the client of this call is gone, or the gateway goes.
  void AwaitGone(grpc::ServerContext& context);

  void OpenGate(const std::string& gate);

  // What arrived so far.
  std::vector<v1::WatchJobRequest> watches() const;
  std::vector<v1::SubmitEditRequest> submits() const;

  // Blocks until `count` watches have begun, or 10 s are over (false).
  bool AwaitWatches(std::size_t count);

 private:
  grpc::Status SubmitEdit(grpc::ServerContext* context, const v1::SubmitEditRequest* request,
                          v1::Job* job) override;
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::Job* job) override;
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override;
  grpc::Status QuoteEdit(grpc::ServerContext* context, const v1::QuoteEditRequest* request,
                         v1::QuoteEditResponse* response) override;
  grpc::Status GetBudget(grpc::ServerContext* context, const v1::GetBudgetRequest* request,
                         v1::Budget* response) override;
  grpc::Status UploadSource(grpc::ServerContext* context,
                            grpc::ServerReader<v1::UploadSourceRequest>* reader,
                            v1::Source* response) override;
  grpc::Status GetSource(grpc::ServerContext* context, const v1::GetSourceRequest* request,
                         v1::Source* response) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::WatchJobResponse>* writer) override;

  grpc::Status WaitJob(grpc::ServerContext* context, const v1::WaitJobRequest* request,
                       v1::WaitJobResponse* response) override;
  grpc::Status ResolveJob(grpc::ServerContext* context, const v1::ResolveJobRequest* request,
                          v1::Job* response) override;
  grpc::Status RefreshOutput(grpc::ServerContext* context, const v1::RefreshOutputRequest* request,
                             v1::Job* response) override;
  grpc::Status WatchJobs(grpc::ServerContext* context, const v1::WatchJobsRequest* request,
                         JobsWriter* writer) override;

  // Until the gate is open or the client is gone (false).
  bool AwaitLocked(std::unique_lock<std::mutex>& lock, grpc::ServerContext& context,
                   const std::string* gate);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<Step>> scripts_;  // under mutex_, as is what follows
  std::deque<Submit> submit_scripts_;
  std::vector<std::string> open_gates_;
  std::vector<v1::WatchJobRequest> watches_;
  std::vector<v1::SubmitEditRequest> submits_;
  std::int32_t history_ = 0;
  bool stopping_ = false;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace lumaedit::client
