#include <gtest/gtest.h>

#include "server/job/error.h"
#include "server/rpc/authenticators.h"

namespace lumaedit {
namespace {

PeerCredentials Secure(std::vector<std::string> names) {
  PeerCredentials peer;
  peer.secure = true;
  peer.certificate_names = std::move(names);
  peer.address = "ipv4:127.0.0.1:1";
  return peer;
}

PeerCredentials Plain(std::string address) {
  PeerCredentials peer;
  peer.address = std::move(address);
  return peer;
}

std::string CallerOf(const PeerCredentials& peer) {
  const auto caller = CertificateAuthenticator().Authenticate(peer);
  return caller.ok() ? caller->caller : std::string(caller.status().message());
}

TEST(CertificateAuthenticator, PrefersSpiffeThenUriThenDns) {
  EXPECT_EQ(CallerOf(Secure({"URI:https://a/b", "URI:spiffe://td/x", "DNS:a.example"})),
            "cert:spiffe://td/x");
  EXPECT_EQ(CallerOf(Secure({"URI:https://a/b", "DNS:a.example"})), "cert:https://a/b");
  EXPECT_EQ(CallerOf(Secure({"DNS:a.example", "DNS:b.example"})), "cert:a.example");
}

TEST(CertificateAuthenticator, IsNoAdmin) {
  EXPECT_FALSE(CertificateAuthenticator().Authenticate(Secure({"DNS:a"}))->admin);
}

TEST(CertificateAuthenticator, RefusesWhatNamesNobody) {
  for (const PeerCredentials& peer :
       {Secure({}), Secure({"CN:someone"}), Secure({"DNS:"}), Secure({"URI:spiffe://a b"}),
        Secure({"URI:no-colon"}), Secure({"DNS:spiffe://td/x"}),
        Secure({"URI:spiffe://td/" + std::string(300, 'x')}), Plain("ipv4:127.0.0.1:1")}) {
    const auto caller = CertificateAuthenticator().Authenticate(peer);
    ASSERT_FALSE(caller.ok());
    EXPECT_EQ(caller.status().code(), absl::StatusCode::kUnauthenticated);
    EXPECT_TRUE(HasReason(caller.status(), ErrorReason::kUnauthenticated));
  }
}

TEST(LocalAuthenticator, TakesLoopbackAlone) {
  for (const char* address :
       {"ipv4:127.0.0.1:5000", "ipv6:[::1]:5000", "ipv6:%5B::1%5D:5000", "unix:/tmp/x"}) {
    const auto caller = LocalAuthenticator().Authenticate(Plain(address));
    ASSERT_TRUE(caller.ok()) << address;
    EXPECT_EQ(caller->caller, "local");
    EXPECT_TRUE(caller->admin);
  }
  for (const char* address :
       {"ipv4:10.0.0.1:5000", "ipv6:[::2]:5000", "ipv6:[::ffff:1.2.3.4]:1", ""}) {
    EXPECT_FALSE(LocalAuthenticator().Authenticate(Plain(address)).ok()) << address;
  }
}

}  // namespace
}  // namespace lumaedit
