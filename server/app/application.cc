#include "server/app/application.h"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/app/admin_desk.h"
#include "server/app/admin_server.h"
#include "server/app/key_file.h"
#include "server/app/process.h"
#include "server/app/prometheus_metrics.h"
#include "server/app/version.h"
#include "server/base/clock.h"
#include "server/base/random.h"
#include "server/base/worker.h"
#include "server/job/job_engine.h"
#include "server/job/job_service.h"
#include "server/job/live_board.h"
#include "server/job/metered_upstream.h"
#include "server/job/price_service.h"
#include "server/job/source_measurer.h"
#include "server/job/source_service.h"
#include "server/job/watch_hub.h"
#include "server/media/av_media_probe.h"
#include "server/rpc/authenticators.h"
#include "server/rpc/edit_service.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/transition_encoder.h"
#include "server/store/folder_source_store.h"
#include "server/store/sqlite_job_store.h"
#include "server/upstream/gmi_client.h"
#include "server/upstream/http_transport.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// Fan-out wakes streams and nothing else; one thread does thousands a millisecond.
constexpr int kFanOutThreads = 1;
// Reads of source slices, apart from the store's threads so that uploads do not hold up commits.
constexpr int kSourceThreads = 2;
// libavformat may take tens of MB for a hostile file.
constexpr int kProbeThreads = 2;
// Videos that wait to be measured; an inline one is in memory meanwhile.
constexpr std::size_t kProbeQueue = 32;
// Each upload waits for one thing at a time.
constexpr std::size_t kUploadQueue = 1024;
// Both queues hold work of our own, which is always taken.
constexpr std::size_t kOwnQueue = 1024;

constexpr std::int64_t kMegabyte = 1'000'000;

// How the drain time is shared: answers to sealed POSTs get the most of it, calls that are still
// open the next part; what is left is for the engine's own end.
constexpr double kAnswersShare = 0.5;
constexpr double kCallsShare = 0.2;

constexpr std::pair<StreamEnd, const char*> kStreamEndWords[] = {
    {StreamEnd::kFinal, "final"},       {StreamEnd::kRotated, "rotated"},
    {StreamEnd::kDraining, "draining"}, {StreamEnd::kOverloaded, "overloaded"},
    {StreamEnd::kStalled, "stalled"},   {StreamEnd::kLeft, "left"},
    {StreamEnd::kFailed, "failed"}};

std::string HostOf(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  return parsed ? std::string(parsed->encoded_host_and_port()) : std::string();
}

absl::Status Explain(const absl::Status& status, const std::string& what) {
  return absl::Status(status.code(), absl::StrCat(what, ": ", std::string(status.message())));
}

}  // namespace

// The upstream under one key.
struct Application::Access {
  std::unique_ptr<KeyFile> key;
  std::unique_ptr<GmiClient> client;
  std::unique_ptr<MeteredUpstream> metered;
};

// In the order in which they are made. What is destroyed by the members' own reverse order is only
// what Stop has already put to rest.
struct Application::Parts {
  explicit Parts(Log& l) : log(l) {}

  Log& log;
  SystemClock clock;
  SystemRandom random;
  PrometheusMetrics metrics{std::string(kVersion)};

  // First, since opening it takes the lock on the data folder: a second gateway ends here, before
  // it has touched anything.
  std::unique_ptr<JobStore> store;
  // In the same folder, under the same lock.
  std::unique_ptr<SourceStore> sources;

  // Threads that block, for those who must not.
  std::unique_ptr<ThreadWorker> store_worker;
  std::unique_ptr<ThreadWorker> sources_worker;
  std::unique_ptr<ThreadWorker> upload_worker;
  std::unique_ptr<ThreadWorker> probe_worker;
  std::unique_ptr<ThreadWorker> fan_out_worker;

  // What callers ask of jobs, on top of the store.
  TransitionEncoder encoder;
  LiveBoard board;
  std::unique_ptr<MediaProbe> probe;
  std::unique_ptr<SourceMeasurer> measurer;
  std::unique_ptr<WatchHub> hub;
  std::unique_ptr<JobService> jobs;
  std::unique_ptr<PriceService> prices;
  std::unique_ptr<SourceService> source_calls;

  // The I/O thread: every coroutine of the upstream and of the engine.
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> io_work;
  Access upstream;
  Access previous_upstream;      // empty: no key was used before
  std::string upstream_account;  // at the start, for the log
  std::unique_ptr<JobEngine> engine;
  std::thread io_thread;
  bool engine_runs = false;

  // Last, since from here on calls come in.
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<GrpcEditService> service;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<AdminDesk> desk;
  std::unique_ptr<AdminServer> admin;

  // Runs a coroutine on the I/O thread and waits for it.
  template <typename T>
  T Await(asio::awaitable<T> work) {
    return asio::co_spawn(io, std::move(work), asio::use_future).get();
  }
};

Application::Application(Config config, Log& log)
    : config_(std::move(config)), log_(log), parts_(std::make_unique<Parts>(log)) {}

Application::~Application() { Stop(); }

absl::Status Application::Start() {
  if (absl::Status started = StartParts(); !started.ok()) return started;
  LogStart();
  if (absl::Status written = WriteReadyFile(); !written.ok()) return written;
  parts_->server->SetServing(true);
  if (parts_->desk != nullptr) parts_->desk->SetReady(true);
  log_.Info("serving");
  return absl::OkStatus();
}

absl::Status Application::StartParts() {
  Parts& p = *parts_;

  auto store = OpenSqliteJobStore({.data_dir = config_.storing.data_dir,
                                   .clock = p.clock,
                                   .random = p.random,
                                   .log = log_,
                                   .read_connections = 4,
                                   .vfs = "",
                                   .counters = nullptr,
                                   .metrics = p.metrics});
  if (!store.ok()) return Explain(store.status(), "the job store");
  p.store = *std::move(store);
  auto sources = OpenFolderSourceStore(
      {.data_dir = config_.storing.data_dir,
       .quota_bytes_per_caller = std::int64_t{config_.sources.quota_mb} * kMegabyte,
       .most_sources_per_caller = config_.sources.most_per_caller,
       .clock = p.clock,
       .log = log_});
  if (!sources.ok()) return Explain(sources.status(), "the source store");
  p.sources = *std::move(sources);

  p.store_worker = std::make_unique<ThreadWorker>("store", config_.storing.threads,
                                                  static_cast<std::size_t>(config_.storing.queue));
  p.sources_worker = std::make_unique<ThreadWorker>("sources", kSourceThreads, kOwnQueue);
  p.upload_worker =
      std::make_unique<ThreadWorker>("uploads", config_.sources.upload_threads, kUploadQueue);
  p.probe_worker = std::make_unique<ThreadWorker>("probe", kProbeThreads, kProbeQueue);
  p.fan_out_worker = std::make_unique<ThreadWorker>("fan-out", kFanOutThreads, kOwnQueue);

  p.probe = MakeAvMediaProbe(p.clock);
  p.measurer = std::make_unique<SourceMeasurer>(*p.probe, *p.probe_worker,
                                                config_.rpc.validation.longest_source);

  p.hub = std::make_unique<WatchHub>(WatchHub::Deps{.store = *p.store,
                                                    .store_worker = *p.store_worker,
                                                    .fan_out_worker = *p.fan_out_worker,
                                                    .clock = p.clock,
                                                    .log = log_,
                                                    .encoder = &p.encoder,
                                                    .metrics = p.metrics});
  p.jobs = std::make_unique<JobService>(JobService::Deps{.store = *p.store,
                                                         .sources = *p.sources,
                                                         .hub = *p.hub,
                                                         .board = p.board,
                                                         .store_worker = *p.store_worker,
                                                         .measurer = *p.measurer,
                                                         .clock = p.clock,
                                                         .random = p.random,
                                                         .log = log_},
                                        config_.budget, config_.engine.retention,
                                        config_.engine.house.source_kept);
  p.prices = std::make_unique<PriceService>(PriceService::Deps{.store = *p.store,
                                                               .sources = *p.sources,
                                                               .store_worker = *p.store_worker,
                                                               .measurer = *p.measurer,
                                                               .clock = p.clock},
                                            config_.budget);
  p.source_calls = std::make_unique<SourceService>(
      SourceService::Deps{.sources = *p.sources,
                          .worker = *p.upload_worker,
                          .measurer = *p.measurer,
                          .clock = p.clock,
                          .log = log_},
      SourceSettings{.largest_bytes = std::int64_t{config_.sources.largest_mb} * kMegabyte,
                     .kept = config_.engine.house.source_kept});

  auto upstream = MakeUpstream(config_.asking.api_key_file, config_.asking.api_key);
  if (!upstream.ok()) return Explain(upstream.status(), "the upstream");
  p.upstream = *std::move(upstream);
  if (!config_.asking.previous_api_key_file.empty()) {
    auto previous =
        MakeUpstream(config_.asking.previous_api_key_file, config_.asking.previous_api_key);
    if (!previous.ok()) return Explain(previous.status(), "the upstream with the previous key");
    p.previous_upstream = *std::move(previous);
  }
  p.engine =
      std::make_unique<JobEngine>(EngineDeps{.store = *p.store,
                                             .sources = *p.sources,
                                             .upstream = *p.upstream.metered,
                                             .previous_upstream = p.previous_upstream.metered.get(),
                                             .hub = *p.hub,
                                             .board = p.board,
                                             .store_worker = *p.store_worker,
                                             .clock = p.clock,
                                             .random = p.random,
                                             .log = log_,
                                             .executor = p.io.get_executor(),
                                             .metrics = p.metrics},
                                  config_.engine, p.random.Uuid());
  p.jobs->SetListener(p.engine.get());
  // From here on the I/O thread looks at the key.
  p.upstream_account = p.upstream.client->Account();
  p.io_work.emplace(p.io.get_executor());
  p.io_thread = std::thread([&p] {
    pthread_setname_np(pthread_self(), "io");
    p.io.run();
  });

  // Before the first call: a job that is submitted belongs to whoever has the lease.
  p.engine_runs = true;
  if (absl::Status started = p.Await(p.engine->Start()); !started.ok()) {
    return Explain(started, "the engine");
  }

  ServerSettings server;
  server.listen = config_.listening.address.ToString();
  server.health_listen = config_.listening.health_address.ToString();
  if (config_.listening.HasTls()) {
    server.tls = TlsFiles{.certificate_file = config_.listening.tls_cert_file,
                          .key_file = config_.listening.tls_key_file,
                          .client_ca_file = config_.listening.client_ca_file};
    p.authenticator = std::make_unique<CertificateAuthenticator>();
  } else {
    p.authenticator = std::make_unique<LocalAuthenticator>();
  }
  p.service =
      std::make_unique<GrpcEditService>(GrpcEditService::Deps{.jobs = *p.jobs,
                                                              .prices = *p.prices,
                                                              .sources = *p.source_calls,
                                                              .hub = *p.hub,
                                                              .authenticator = *p.authenticator,
                                                              .clock = p.clock,
                                                              .random = p.random,
                                                              .log = log_,
                                                              .upstream_calls = p.engine->calls()},
                                        config_.rpc);
  auto started = GrpcServer::Start(server, *p.service, log_);
  if (!started.ok()) return Explain(started.status(), "the gRPC server");
  p.server = *std::move(started);
  return StartAdmin();
}

absl::StatusOr<Application::Access> Application::MakeUpstream(const std::string& key_file,
                                                              const Secret& key) {
  Parts& p = *parts_;
  HttpOptions http;
  http.base_url = config_.asking.base_url;
  http.ca_file = config_.asking.ca_file;
  auto transport = MakeHttpTransport(p.io.get_executor(), http);
  if (!transport.ok()) return transport.status();
  Access access;
  access.key = std::make_unique<KeyFile>(key_file, key, p.clock, log_);
  access.client = std::make_unique<GmiClient>(
      GmiClient::Parts{.transport = *std::move(transport),
                       .key = [key = access.key.get()] { return key->Current(); },
                       .sources = *p.sources,
                       .sources_worker = *p.sources_worker,
                       .clock = p.clock});
  access.metered = std::make_unique<MeteredUpstream>(*access.client, p.clock, p.metrics);
  return access;
}

absl::Status Application::StartAdmin() {
  if (config_.listening.admin_address.empty()) return absl::OkStatus();
  Parts& p = *parts_;
  p.desk = std::make_unique<AdminDesk>(AdminDesk::Deps{
      .store = *p.store,
      .engine = *p.engine,
      .hub = *p.hub,
      .store_worker = *p.store_worker,
      .metrics = p.metrics,
      .clock = p.clock,
      .daily_limit_usd_micros = config_.budget.daily_limit_usd_micros,
      .io = p.io.get_executor(),
      .queues =
          [&p] {
            return std::map<std::string, std::size_t>{{"store", p.store_worker->queued()},
                                                      {"sources", p.sources_worker->queued()},
                                                      {"uploads", p.upload_worker->queued()},
                                                      {"probe", p.probe_worker->queued()},
                                                      {"fan_out", p.fan_out_worker->queued()}};
          },
      .streams_ended =
          [&p] {
            std::map<std::string, std::int64_t> ended;
            for (const auto& [how, word] : kStreamEndWords) {
              ended[word] = p.service->ended_streams(how);
            }
            return ended;
          },
      .refusals = [&p] { return p.service->refusals(); },
      .log = log_});
  auto admin = AdminServer::Start(
      config_.listening.admin_address,
      [&p](const AdminRequest& request) { return p.desk->Answer(request); }, log_);
  if (!admin.ok()) return Explain(admin.status(), "the admin port");
  p.admin = *std::move(admin);
  return absl::OkStatus();
}

void Application::LogStart() {
  const Parts& p = *parts_;
  Address listen = config_.listening.address;
  listen.port = p.server->port();
  Address health = config_.listening.health_address;
  health.port = p.server->health_port();
  Address admin = config_.listening.admin_address;
  if (p.admin != nullptr) admin.port = p.admin->port();
  log_.Info("started", {{"version", std::string(kVersion)},
                        {"pid", static_cast<std::int64_t>(getpid())},
                        {"listen", listen.ToString()},
                        {"health_listen", health.ToString()},
                        {"admin_listen", admin.ToString()},
                        {"tls", config_.listening.HasTls()},
                        {"data_dir", config_.storing.data_dir},
                        {"upstream", HostOf(config_.asking.base_url)},
                        {"upstream_account", p.upstream_account}});
  const auto& limit = config_.budget.daily_limit_usd_micros;
  log_.Info("spend_limit", {{"usd_per_day", limit ? PrintUsd(*limit) : "none"},
                            {"is_default", !config_.spend_limit_usd_per_day.has_value()}});
  Config defaults;
  const SettingList usual = SettingsOf(defaults);
  const SettingList list = SettingsOf(config_);
  for (std::size_t i = 0; i < list.all().size(); ++i) {
    const Setting& setting = list.all()[i];
    const std::string value = setting.print();
    if (value != usual.all()[i].default_text) {
      log_.Info("setting", {{"name", setting.name}, {"value", value}});
    }
  }
}

absl::Status Application::WriteReadyFile() {
  if (config_.running.ready_file.empty()) return absl::OkStatus();
  const Parts& p = *parts_;
  Address listen = config_.listening.address;
  listen.port = p.server->port();
  const boost::json::object ready = {{"pid", getpid()},
                                     {"address", listen.ToString()},
                                     {"port", p.server->port()},
                                     {"health_port", p.server->health_port()},
                                     {"admin_port", p.admin == nullptr ? 0 : p.admin->port()}};
  return WriteWhole(config_.running.ready_file, boost::json::serialize(ready) + "\n");
}

void Application::Stop() {
  if (parts_ == nullptr) return;
  Parts& p = *parts_;
  const absl::Duration limit = config_.running.drain_time;

  // Whoever looks for a gateway goes elsewhere; whoever is here is told to come back.
  if (p.desk != nullptr) p.desk->SetReady(false);
  if (p.server != nullptr) {
    p.server->SetServing(false);
    if (!config_.running.ready_file.empty()) std::remove(config_.running.ready_file.c_str());
  }
  if (p.jobs != nullptr) p.jobs->Drain();
  if (p.source_calls != nullptr) p.source_calls->Drain();
  if (p.server != nullptr) p.server->Drain();

  // Unsealed sends stop; what is sealed gets its answer if it comes soon. Calls are still answered:
  // a known request_id, a look at a job.
  if (p.engine_runs) p.Await(p.engine->Drain(limit * kAnswersShare));

  if (p.server != nullptr) p.server->Shutdown(limit * kCallsShare);
  // Its calls ask the engine, the store and the service.
  p.admin.reset();
  p.desk.reset();
  p.server.reset();
  p.service.reset();

  // The lease goes back; then nothing on the I/O thread asks for a store thread any more.
  if (p.engine_runs) p.Await(p.engine->Stop());
  p.io_work.reset();
  p.io.stop();
  if (p.io_thread.joinable()) p.io_thread.join();

  // Each runs what is still queued, which uses the parts below.
  p.sources_worker.reset();
  p.probe_worker.reset();
  p.upload_worker.reset();
  p.store_worker.reset();
  p.fan_out_worker.reset();

  // The store closes with the rest.
  parts_.reset();
  log_.Info("stopped");
}

}  // namespace lumaedit
