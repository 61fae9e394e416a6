// The real gRPC server over the real JobService and SQLite. The engine is there for the calls that
// ask the upstream, a fake one, but it drives nothing: tests move the jobs themselves. And what its
// clients need to read answers. One thread drives it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lumaedit/v1/edit_service.grpc.pb.h"
#include "server/base/clock.h"
#include "server/base/random.h"
#include "server/base/worker.h"
#include "server/job/job_engine.h"
#include "server/job/job_service.h"
#include "server/job/live_board.h"
#include "server/job/source_measurer.h"
#include "server/job/source_service.h"
#include "server/job/watch_hub.h"
#include "server/rpc/authenticators.h"
#include "server/rpc/edit_service.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/transition_encoder.h"
#include "tests/fakes/fake_upstream.h"
#include "tests/fakes/recording_log.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit {

// Looks until the condition holds; false after `limit`.
bool Eventually(const std::function<bool()>& condition, absl::Duration limit = absl::Seconds(20));

// The trailer of a failed call.
struct Failure {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;
  std::string reason;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> fields;
  std::vector<std::string> quotas;  // subjects of QuotaFailure
  std::optional<absl::Duration> retry_after;
  friend bool operator==(const Failure&, const Failure&) = default;
};
Failure FailureOf(const grpc::Status& status);

struct GatewayOptions {
  RpcSettings rpc;
  ServerSettings server;
  BudgetSettings budget;
  SourceSettings sources;
  std::int64_t source_quota_bytes = std::int64_t{1} << 30;
  // Instead of libavformat and of a TransitionEncoder; must outlive the gateway.
  MediaProbe* probe = nullptr;
  Encoder* encoder = nullptr;
};

class Gateway {
 public:
  explicit Gateway(GatewayOptions options = {});
  ~Gateway();

  GrpcServer& server() { return *server_; }
  GrpcEditService& service() { return *service_; }
  JobService& jobs() { return *jobs_; }
  JobStore& store() { return *store_; }
  SourceStore& sources() { return *sources_; }
  WatchHub& hub() { return *hub_; }
  LiveBoard& board() { return board_; }
  RecordingLog& log() { return log_; }
  Random& random() { return random_; }

  SourceService& source_calls() { return *source_calls_; }

  // Why the server did not start; OK when it did.
  const absl::Status& started() const { return started_; }

  std::string address() const;
  // A connection of its own.
  std::shared_ptr<grpc::Channel> Connect() const;
  std::unique_ptr<v1::EditService::Stub> Stub() const;

  // A request that is accepted, with a fresh request_id.
  v1::SubmitEditRequest Good();
  // Submits one and answers with its id.
  std::string SubmitOne();

  // One committed and published change of state, as the engine makes it.
  void Move(const std::string& job_id, JobState state);
  // The same, with `edit` applied to the job.
  void Move(const std::string& job_id, JobState state, const std::function<void(Job&)>& edit);

  // Seals an attempt for the job, as the engine does, so that it is SUBMITTING.
  void Seal(const std::string& job_id);

  // To be scripted before a call that asks it.
  FakeUpstream& upstream() { return upstream_; }

  // Jobs of all callers named `caller` in the store.
  int JobCount(const std::string& caller = "local");

  void StopServer(absl::Duration grace = absl::Seconds(5));

 private:
  TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  RecordingLog log_;
  LiveBoard board_;
  TransitionEncoder own_encoder_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<SourceStore> sources_;
  std::unique_ptr<WatchHub> hub_;
  std::unique_ptr<JobService> jobs_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> io_work_{
      io_.get_executor()};
  FakeUpstream upstream_{io_.get_executor(), clock_};
  std::unique_ptr<JobEngine> engine_;
  std::thread io_thread_;
  std::unique_ptr<MediaProbe> own_probe_;
  std::unique_ptr<SourceMeasurer> measurer_;
  std::unique_ptr<PriceService> prices_;
  std::unique_ptr<SourceService> source_calls_;
  std::unique_ptr<GrpcEditService> service_;
  std::unique_ptr<ThreadWorker> fan_out_worker_;
  std::unique_ptr<ThreadWorker> store_worker_;
  std::unique_ptr<ThreadWorker> upload_worker_;
  std::unique_ptr<ThreadWorker> probe_worker_;
  std::unique_ptr<GrpcServer> server_;
  absl::Status started_;
};

// Reads a watch to its end.
struct Watched {
  std::vector<int> sequences;
  std::vector<v1::WatchJobResponse> messages;
  int caught_up_at = -1;  // sequences seen before it; -1: never came
  int heartbeats = 0;
  grpc::Status status;
};
Watched WatchToEnd(v1::EditService::Stub& stub, const std::string& job_id, int after_sequence = 0,
                   const std::function<void(const v1::WatchJobResponse&)>& on_message = {});

}  // namespace lumaedit
