// The listeners: EditService with health and reflection, and a port for probes.
//
// Owned by `app`. Start, Drain and Shutdown are called by one thread. Values and the reasons for
// them are in hardening.md section 2: the packaged gRPC has no security patches since 2022.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/log.h"
#include "server/rpc/edit_service.h"

namespace lumaedit {

// PEM files; read again when they change.
struct TlsFiles {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;  // a client must show a certificate that one of these signed
};

struct ServerSettings {
  std::string listen = "127.0.0.1:0";  // port 0: any free one
  // Unset: plaintext, on loopback only.
  std::optional<TlsFiles> tls;
  // Plaintext, for probes: health and reflection alone, so any address will do. Empty: none.
  std::string health_listen;

  // A SubmitEdit with 4 MiB of video fits; the margin is for its other fields.
  int receive_limit_bytes = 4 * 1024 * 1024 + 64 * 1024;
  int send_limit_bytes = 4 * 1024 * 1024;
  int metadata_limit_bytes = 16 * 1024;
  // At the limit every further call of the channel hangs, hence so many.
  int most_concurrent_streams = 10'000;
  absl::Duration handshake_timeout = absl::Seconds(10);
  absl::Duration connection_idle = absl::Minutes(5);
  // Without a grace time, which would cut streams: they end themselves.
  absl::Duration connection_age = absl::Minutes(30);
  absl::Duration keepalive_time = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  int stream_window_bytes = 1 << 20;  // that a client may send ahead of its stream's reader
  int read_piece_bytes = 64 << 10;    // of a socket
  absl::Duration least_ping_interval = absl::Seconds(10);
  absl::Duration certificate_refresh = absl::Seconds(30);
};

// The channel arguments that Start sets, for a test to read.
std::vector<std::pair<std::string, int>> ChannelArguments(const ServerSettings& settings);

// Is this listening address one that only this machine can reach?
bool IsLoopback(const std::string& address);

class GrpcServer {
 public:
  // INVALID_ARGUMENT: plaintext off loopback, or TLS files that are missing or no PEM.
  // UNAVAILABLE: the address cannot be listened on. `service` outlives the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const ServerSettings& settings,
                                                           GrpcEditService& service, Log& log);
  // Shuts down at once, if Shutdown was not called.
  ~GrpcServer();

  int port() const { return port_; }
  int health_port() const { return health_port_; }  // 0: none

  // What the health service says of "" and "lumaedit.v1.EditService". NOT_SERVING at first.
  void SetServing(bool serving);

  // NOT_SERVING, and every watch ends with UNAVAILABLE kDraining. Calls are still answered.
  void Drain();

  // Takes no new calls; those that have not ended after `grace` are cancelled. The store's worker
  // must still run, since calls that wait for it are waited for.
  void Shutdown(absl::Duration grace);

 private:
  explicit GrpcServer(GrpcEditService& service) : service_(service) {}

  GrpcEditService& service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::Server> health_server_;
  int port_ = 0;
  int health_port_ = 0;
};

// Sends gRPC's own lines (errors only) to `log`, so that stderr holds JSON alone. `log` must live
// as long as gRPC is used; null: back to gRPC's own way.
void SetGrpcLog(Log* log);

}  // namespace lumaedit
