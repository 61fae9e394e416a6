#include "tests/wire/rpc/gateway.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "server/job/state_rules.h"
#include "server/media/av_media_probe.h"
#include "server/store/folder_source_store.h"
#include "server/store/sqlite_job_store.h"

namespace lumaedit {

bool Eventually(const std::function<bool()>& condition, absl::Duration limit) {
  std::mutex mutex;
  std::condition_variable nobody_notifies;
  const absl::Time end = absl::Now() + limit;
  std::unique_lock<std::mutex> lock(mutex);
  while (!condition()) {
    if (absl::Now() > end) return false;
    nobody_notifies.wait_for(lock, std::chrono::milliseconds(2));
  }
  return true;
}

Failure FailureOf(const grpc::Status& status) {
  Failure failure;
  failure.code = status.error_code();
  failure.message = status.error_message();
  google::rpc::Status trailer;
  if (!trailer.ParseFromString(status.error_details())) return failure;
  for (const auto& any : trailer.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    google::rpc::QuotaFailure quota;
    if (any.UnpackTo(&info)) {
      EXPECT_EQ(info.domain(), "lumaedit.v1");
      failure.reason = info.reason();
      failure.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (any.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) {
        failure.fields.push_back(violation.field());
      }
    } else if (any.UnpackTo(&quota)) {
      for (const auto& violation : quota.violations())
        failure.quotas.push_back(violation.subject());
    } else if (any.UnpackTo(&retry)) {
      failure.retry_after = absl::Seconds(retry.retry_delay().seconds()) +
                            absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  return failure;
}

Gateway::Gateway(GatewayOptions options) {
  if (options.server.tls) {
    authenticator_ = std::make_unique<CertificateAuthenticator>();
  } else {
    authenticator_ = std::make_unique<LocalAuthenticator>();
  }
  auto store = OpenSqliteJobStore({folder_.path(), clock_, random_, log_, 4, "", nullptr});
  if (!store.ok()) {
    started_ = store.status();
    return;
  }
  store_ = *std::move(store);
  auto sources =
      OpenFolderSourceStore({folder_.path(), options.source_quota_bytes, 1000, clock_, log_});
  if (!sources.ok()) {
    started_ = sources.status();
    return;
  }
  sources_ = *std::move(sources);
  fan_out_worker_ = std::make_unique<ThreadWorker>("fan-out", 1, 1 << 20);
  store_worker_ = std::make_unique<ThreadWorker>("store", 4, 1 << 16);
  upload_worker_ = std::make_unique<ThreadWorker>("uploads", 2, 1 << 10);
  probe_worker_ = std::make_unique<ThreadWorker>("probe", 1, 1 << 10);
  own_probe_ = MakeAvMediaProbe(clock_);
  measurer_ =
      std::make_unique<SourceMeasurer>(options.probe != nullptr ? *options.probe : *own_probe_,
                                       *probe_worker_, options.rpc.validation.longest_source);
  hub_ = std::make_unique<WatchHub>(
      WatchHub::Deps{*store_, *store_worker_, *fan_out_worker_, clock_, log_,
                     options.encoder != nullptr ? options.encoder : &own_encoder_});
  jobs_ = std::make_unique<JobService>(
      JobService::Deps{*store_, *sources_, *hub_, board_, *store_worker_, *measurer_, clock_,
                       random_, log_},
      options.budget, RetentionSettings{}, options.sources.kept);
  prices_ = std::make_unique<PriceService>(
      PriceService::Deps{*store_, *sources_, *store_worker_, *measurer_, clock_}, options.budget);
  source_calls_ = std::make_unique<SourceService>(
      SourceService::Deps{*sources_, *upload_worker_, *measurer_, clock_, log_}, options.sources);
  engine_ = std::make_unique<JobEngine>(EngineDeps{.store = *store_,
                                                   .sources = *sources_,
                                                   .upstream = upstream_,
                                                   .hub = *hub_,
                                                   .board = board_,
                                                   .store_worker = *store_worker_,
                                                   .clock = clock_,
                                                   .random = random_,
                                                   .log = log_,
                                                   .executor = io_.get_executor()},
                                        EngineSettings{}, "owner");
  io_thread_ = std::thread([this] { io_.run(); });
  service_ = std::make_unique<GrpcEditService>(
      GrpcEditService::Deps{*jobs_, *prices_, *source_calls_, *hub_, *authenticator_, clock_,
                            random_, log_, engine_->calls()},
      options.rpc);
  auto server = GrpcServer::Start(options.server, *service_, log_);
  if (!server.ok()) {
    started_ = server.status();
    return;
  }
  server_ = *std::move(server);
  server_->SetServing(true);
}

Gateway::~Gateway() {
  StopServer(absl::ZeroDuration());
  service_.reset();
  if (engine_) boost::asio::co_spawn(io_, engine_->Stop(), boost::asio::use_future).get();
  io_work_.reset();
  io_.stop();
  if (io_thread_.joinable()) io_thread_.join();
  // What is queued runs before the hub and the store go.
  probe_worker_.reset();
  upload_worker_.reset();
  store_worker_.reset();
  fan_out_worker_.reset();
}

void Gateway::StopServer(absl::Duration grace) {
  if (!server_) return;
  server_->Shutdown(grace);
  server_.reset();
}

std::string Gateway::address() const { return absl::StrCat("127.0.0.1:", server_->port()); }

std::shared_ptr<grpc::Channel> Gateway::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<v1::EditService::Stub> Gateway::Stub() const {
  return v1::EditService::NewStub(Connect());
}

v1::SubmitEditRequest Gateway::Good() {
  v1::SubmitEditRequest request;
  request.set_request_id(random_.Uuid());
  request.mutable_edit()->set_prompt("Night rain");
  request.mutable_edit()->set_generation_id("9f4b1c8a-6d2e-4f7b-8a3c-5e6d7f809112");
  return request;
}

std::string Gateway::SubmitOne() {
  grpc::ClientContext context;
  v1::Job job;
  const grpc::Status status = Stub()->SubmitEdit(&context, Good(), &job);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return job.id();
}

void Gateway::Move(const std::string& job_id, JobState state) {
  Move(job_id, state, [](Job&) {});
}

void Gateway::Seal(const std::string& job_id) {
  const auto lease = store_->Acquire("owner");
  ASSERT_TRUE(lease.ok()) << lease.status();
  Attempt attempt;
  attempt.job_id = job_id;
  attempt.account = upstream_.account;
  attempt.model = kEditModel;
  attempt.fingerprint = PayloadFingerprint(PayloadFor(store_->View(job_id)->job.edit));
  const auto sealed = store_->Seal(*lease, attempt);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
}

void Gateway::Move(const std::string& job_id, JobState state,
                   const std::function<void(Job&)>& edit) {
  const absl::Time now = clock_.Now();
  auto change = store_->Update(
      job_id, nullptr, [&](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
        Decision decision;
        decision.job = view.job;
        decision.job.state = state;
        if (state == JobState::kQueued) decision.job.accept_time = now;
        if (state == JobState::kSucceeded) {
          decision.job.outcome = Outcome{"https://storage.example.test/v.mp4", "", "gen", {}, now};
          decision.job.end_time = now;
        }
        decision.job.charge.state =
            ChargeFor(state, IsSet(decision.job.accept_time), decision.job.error);
        edit(decision.job);
        return decision;
      });
  ASSERT_TRUE(change.ok()) << change.status();
  ASSERT_TRUE(change->transition.has_value());
  hub_->Publish(change->job, *change->transition);
}

int Gateway::JobCount(const std::string& caller) {
  auto page = store_->List(caller, {}, std::nullopt, 10'000);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? static_cast<int>(page->jobs.size()) : -1;
}

Watched WatchToEnd(v1::EditService::Stub& stub, const std::string& job_id, int after_sequence,
                   const std::function<void(const v1::WatchJobResponse&)>& on_message) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  request.set_after_sequence(after_sequence);
  auto reader = stub.WatchJob(&context, request);
  Watched out;
  v1::WatchJobResponse message;
  while (reader->Read(&message)) {
    switch (message.message_case()) {
      case v1::WatchJobResponse::kTransition:
        out.sequences.push_back(message.transition().sequence());
        break;
      case v1::WatchJobResponse::kCaughtUp:
        EXPECT_EQ(out.caught_up_at, -1);
        out.caught_up_at = static_cast<int>(out.sequences.size());
        break;
      case v1::WatchJobResponse::kHeartbeat:
        ++out.heartbeats;
        break;
      case v1::WatchJobResponse::MESSAGE_NOT_SET:
        ADD_FAILURE() << "an empty message";
    }
    out.messages.push_back(message);
    if (on_message) on_message(message);
  }
  out.status = reader->Finish();
  return out;
}

}  // namespace lumaedit
