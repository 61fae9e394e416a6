#include "server/rpc/authenticators.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/job/error.h"

namespace lumaedit {
namespace {

constexpr char kUri[] = "URI:";
constexpr char kSpiffe[] = "URI:spiffe://";
constexpr char kDns[] = "DNS:";
constexpr std::size_t kMostNameLength = 255;  // the limit of DNS; SPIFFE ids are seldom longer

absl::Status Unauthenticated(std::string_view why) {
  return MakeError(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthenticated, why);
}

bool IsUsable(absl::string_view name) {
  return !name.empty() && name.size() <= kMostNameLength &&
         std::all_of(name.begin(), name.end(), absl::ascii_isgraph);
}

}  // namespace

PeerCredentials PeerOf(const grpc::ServerContextBase& context) {
  PeerCredentials peer;
  peer.address = context.peer();
  const auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return peer;
  for (const grpc::string_ref& type :
       auth->FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME)) {
    if (type == GRPC_TLS_TRANSPORT_SECURITY_TYPE || type == GRPC_SSL_TRANSPORT_SECURITY_TYPE) {
      peer.secure = true;
    }
  }
  if (!peer.secure) return peer;
  for (const grpc::string_ref& name : auth->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    peer.certificate_names.push_back(
        absl::StrCat(kUri, absl::string_view(name.data(), name.size())));
  }
  for (const grpc::string_ref& name : auth->FindPropertyValues(GRPC_PEER_DNS_PROPERTY_NAME)) {
    peer.certificate_names.push_back(
        absl::StrCat(kDns, absl::string_view(name.data(), name.size())));
  }
  return peer;
}

absl::StatusOr<CallerIdentity> LocalAuthenticator::Authenticate(const PeerCredentials& peer) const {
  const bool loopback =
      absl::StartsWith(peer.address, "ipv4:127.") || absl::StartsWith(peer.address, "ipv6:[::1]") ||
      absl::StartsWith(peer.address, "ipv6:%5B::1%5D") || absl::StartsWith(peer.address, "unix:");
  if (!loopback) return Unauthenticated("only this machine may call without a certificate");
  return CallerIdentity{"local", true};
}

absl::StatusOr<CallerIdentity> CertificateAuthenticator::Authenticate(
    const PeerCredentials& peer) const {
  if (!peer.secure) return Unauthenticated("a client certificate is required");
  for (absl::string_view kind : {kSpiffe, kUri, kDns}) {
    for (const std::string& name : peer.certificate_names) {
      if (!absl::StartsWith(name, kind)) continue;
      // "URI:" and "DNS:" are of one length. A URI always holds a colon and a host name never does,
      // so the two kinds cannot be taken for each other without the prefix.
      const absl::string_view bare = absl::string_view(name).substr(sizeof(kUri) - 1);
      const bool is_uri = kind != kDns;
      if (IsUsable(bare) && is_uri == absl::StrContains(bare, ':')) {
        return CallerIdentity{absl::StrCat("cert:", bare), false};
      }
    }
  }
  return Unauthenticated(
      "the client certificate needs a subject alternative name of kind URI or DNS");
}

}  // namespace lumaedit
