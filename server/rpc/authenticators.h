// Who asks, from what the connection proved. Nothing that a client can write into a header counts.
// Stateless; any thread.
#pragma once

#include <grpcpp/server_context.h>

#include "server/job/authenticator.h"

namespace lumaedit {

// Names carry their kind: "URI:spiffe://…", "DNS:…"; in the certificate's order, URIs first. The
// subject's common name is not among them: no rule keeps it unique.
PeerCredentials PeerOf(const grpc::ServerContextBase& context);

// Plaintext on loopback: whoever reaches the port is the machine's own, caller "local", an admin.
class LocalAuthenticator final : public Authenticator {
 public:
  absl::StatusOr<CallerIdentity> Authenticate(const PeerCredentials& peer) const override;
};

// TLS with a verified client certificate: caller "cert:<name>". A SPIFFE id is taken first, then
// another URI, then a DNS name.
class CertificateAuthenticator final : public Authenticator {
 public:
  absl::StatusOr<CallerIdentity> Authenticate(const PeerCredentials& peer) const override;
};

}  // namespace lumaedit
