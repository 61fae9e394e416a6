// Port: who asks us. Implemented by `rpc`; called on gRPC threads, so it never blocks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lumaedit {

// What the transport proved about the peer.
struct PeerCredentials {
  bool secure = false;                         // TLS
  std::vector<std::string> certificate_names;  // SANs of a verified client certificate
  std::string address;                         // "ipv4:127.0.0.1:5000"
};

struct CallerIdentity {
  std::string caller;  // stable, not secret: every row of the store carries it
  bool admin = false;
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // UNAUTHENTICATED: nothing proves who asks.
  virtual absl::StatusOr<CallerIdentity> Authenticate(const PeerCredentials& peer) const = 0;
};

}  // namespace lumaedit
