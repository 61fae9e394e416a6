// The way to one gateway: address, credentials, and the channel in use at the moment.
//
// Owned by Client and shared with its running watches. Every method may be called from any thread.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "absl/time/time.h"
#include "client/result.h"
#include "lumaedit/v1/edit_service.grpc.pb.h"

namespace lumaedit::client {

struct ConnectionOptions {
  // What gRPC takes: "host:port", "dns:///name:port", "unix:/path".
  std::string address = "127.0.0.1:8443";

  // PEM files. With any of them, and to every host that is not loopback, the channel is TLS. An
  // empty CA file means the system's authorities; certificate and key come together, or neither.
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;

  // The name the gateway's certificate carries, when it is not the host of `address` (a forwarded
  // port). Empty = the host.
  std::string tls_server_name;

  // How long one attempt to connect may take.
  absl::Duration connect_timeout = absl::Seconds(10);
};

class Connection {
 public:
  // One channel and its number; a call keeps its own copy, so that a replaced channel lives on
  // until its last call is over.
  struct Line {
    std::shared_ptr<grpc::Channel> channel;
    std::shared_ptr<v1::EditService::Stub> stub;
    int number = 0;
  };

  // Reads the files and makes the channel; nothing is connected yet. INVALID_ARGUMENT for a file
  // that cannot be read, a certificate without its key, an empty address.
  static Result<std::shared_ptr<Connection>> Create(const ConnectionOptions& options);

  Line Current() const;

  // Line `number` went silent: the next Current() opens a fresh connection. A half-open TCP
  // connection is not noticed by gRPC, which would put the next call on it again. No effect when
  // somebody was quicker.
  void Replace(int number);

  // Blocks for `duration` (true) or until `stop` is requested (false), and lets gRPC connect
  // meanwhile.
  bool Pause(absl::Duration duration, const std::stop_token& stop) const;

  // Whether this gateway has ever answered; says which time limit an outage is held against.
  bool reached() const { return reached_; }
  void SetReached() { reached_ = true; }

 private:
  Connection(const ConnectionOptions& options,
             std::shared_ptr<grpc::ChannelCredentials> credentials);
  Line MakeLine(int number) const;

  const ConnectionOptions options_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::atomic<bool> reached_ = false;
  mutable std::mutex mutex_;
  Line line_;  // under mutex_
};

// Whether `address` names this machine only: plaintext is allowed there and nowhere else.
bool IsLoopback(const std::string& address);

}  // namespace lumaedit::client
