#include "server/rpc/grpc_server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lumaedit {
namespace {

constexpr char kServiceName[] = "lumaedit.v1.EditService";

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

absl::Status CheckPem(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (absl::StrContains(text, "-----BEGIN ")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " ", path, " cannot be read as PEM"));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(
    const ServerSettings& settings) {
  if (!settings.tls) {
    if (!IsLoopback(settings.listen)) {
      return absl::InvalidArgumentError(
          absl::StrCat("without TLS and client certificates only loopback may be listened on, not ",
                       settings.listen));
    }
    return grpc::InsecureServerCredentials();
  }
  const TlsFiles& files = *settings.tls;
  // The provider reports nothing: with a missing file every handshake would just fail.
  for (const auto& [path, what] : {std::pair(&files.certificate_file, "the certificate"),
                                   std::pair(&files.key_file, "the private key"),
                                   std::pair(&files.client_ca_file, "the client CA")}) {
    if (absl::Status readable = CheckPem(*path, what); !readable.ok()) return readable;
  }
  auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.key_file, files.certificate_file, files.client_ca_file,
      static_cast<unsigned>(absl::ToInt64Seconds(settings.certificate_refresh)));
  grpc::experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

void Apply(const ServerSettings& settings, grpc::ServerBuilder& builder) {
  for (const auto& [name, value] : ChannelArguments(settings)) {
    builder.AddChannelArgument(name, value);
  }
  builder.SetMaxReceiveMessageSize(settings.receive_limit_bytes);
  builder.SetMaxSendMessageSize(settings.send_limit_bytes);
  // A small message that expands to hundreds of megabytes would be expanded before its size is
  // known.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  // Reflection is the one synchronous service; it needs no more than this.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

// Must run before the first builder is made.
void InstallPlugins() {
  static const bool installed = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(installed);
}

absl::StatusOr<std::unique_ptr<grpc::Server>> Build(grpc::ServerBuilder& builder,
                                                    const std::string& address, const int& port) {
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address, ": another process may use the port, or it needs rights"));
  }
  return server;
}

void SetServingOn(grpc::Server* server, bool serving) {
  if (server == nullptr) return;
  grpc::HealthCheckServiceInterface* health = server->GetHealthCheckService();
  health->SetServingStatus("", serving);
  health->SetServingStatus(kServiceName, serving);
}

std::atomic<Log*> grpc_log = nullptr;

void WriteGrpcLog(gpr_log_func_args* args) {
  Log* log = grpc_log.load();
  if (log == nullptr || args->severity != GPR_LOG_SEVERITY_ERROR) return;
  log->Warning("grpc", {{"message", args->message},
                        {"file", args->file},
                        {"line", static_cast<std::int64_t>(args->line)}});
}

// Protobuf names the field that a malformed message spoiled. Any caller can cause it: debug.
void WriteProtobufLog(google::protobuf::LogLevel /*level*/, const char* file, int line,
                      const std::string& message) {
  if (Log* log = grpc_log.load(); log != nullptr) {
    log->Debug("protobuf", {{"message", message}, {"file", file}, {"line", line}});
  }
}

}  // namespace

std::vector<std::pair<std::string, int>> ChannelArguments(const ServerSettings& settings) {
  return {
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, settings.most_concurrent_streams},
      {GRPC_ARG_MAX_METADATA_SIZE, settings.metadata_limit_bytes},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(settings.handshake_timeout)},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(settings.connection_idle)},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(settings.connection_age)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(settings.keepalive_time)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(settings.keepalive_timeout)},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       Milliseconds(settings.least_ping_interval)},
      // The window that gRPC reckons for itself grows to tens of megabytes a stream on a fast
      // network, and all of it is memory of ours when a disk is slower than that. A megabyte a
      // stream is 10 MB/s over 100 ms.
      {GRPC_ARG_HTTP2_BDP_PROBE, 0},
      {GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, settings.stream_window_bytes},
      {GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, settings.read_piece_bytes},
      // A second server on the port would silently share its connections.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
  };
}

bool IsLoopback(const std::string& address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]:") || absl::StartsWith(address, "unix:");
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const ServerSettings& settings,
                                                              GrpcEditService& service, Log& log) {
  InstallPlugins();
  auto credentials = Credentials(settings);
  if (!credentials.ok()) return credentials.status();

  std::unique_ptr<GrpcServer> out(new GrpcServer(service));
  {
    grpc::ServerBuilder builder;
    Apply(settings, builder);
    builder.AddListeningPort(settings.listen, *credentials, &out->port_);
    builder.RegisterService(&service);
    auto server = Build(builder, settings.listen, out->port_);
    if (!server.ok()) return server.status();
    out->server_ = *std::move(server);
  }
  if (!settings.health_listen.empty()) {
    grpc::ServerBuilder builder;
    Apply(settings, builder);
    builder.AddListeningPort(settings.health_listen, grpc::InsecureServerCredentials(),
                             &out->health_port_);
    auto server = Build(builder, settings.health_listen, out->health_port_);
    if (!server.ok()) return server.status();
    out->health_server_ = *std::move(server);
  }
  out->SetServing(false);
  log.Info("listening", {{"address", settings.listen},
                         {"port", out->port_},
                         {"tls", settings.tls.has_value()},
                         {"health_port", out->health_port_}});
  return out;
}

GrpcServer::~GrpcServer() { Shutdown(absl::ZeroDuration()); }

void GrpcServer::SetServing(bool serving) {
  SetServingOn(server_.get(), serving);
  SetServingOn(health_server_.get(), serving);
}

void GrpcServer::Drain() {
  SetServing(false);
  service_.DrainStreams();
}

void GrpcServer::Shutdown(absl::Duration grace) {
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace);
  for (std::unique_ptr<grpc::Server>* server : {&server_, &health_server_}) {
    if (!*server) continue;
    (*server)->Shutdown(deadline);
    (*server)->Wait();
    server->reset();
  }
}

void SetGrpcLog(Log* log) {
  grpc_log = log;
  gpr_set_log_function(log == nullptr ? nullptr : WriteGrpcLog);
  google::protobuf::SetLogHandler(log == nullptr ? nullptr : WriteProtobufLog);
}

}  // namespace lumaedit
