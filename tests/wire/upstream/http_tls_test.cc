// Who the client talks to, and who gets nothing: not one byte of the key.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/wire/upstream/wire_fixture.h"

namespace lumaedit {
namespace {

using HttpTlsTest = WireTest;

void AnswerEverything(ServerPeer& peer) {
  while (!peer.ReadHead().empty()) peer.Write(Answer("{}"));
}

TEST_F(HttpTlsTest, AGoodServerIsAsked) {
  std::string head;
  Serve([&](ServerPeer& peer) {
    head = peer.ReadHead();
    peer.Write(Answer("{}"));
    peer.WaitUntilClosed();
  });
  TextSink sink;
  const HttpRead read = Get(sink);
  EXPECT_FALSE(read.failure) << read.failure->ToString();
  EXPECT_EQ(read.head.status, 200);
  EXPECT_EQ(sink.body, "{}");
  EXPECT_TRUE(head.starts_with("GET /api/v1/requests/a HTTP/1.1\r\n")) << head;
  EXPECT_EQ(HeaderOf(head, "authorization"), std::string("Bearer ") + kWireKey);
  EXPECT_EQ(HeaderOf(head, "accept-encoding"), "identity");
  EXPECT_EQ(HeaderOf(head, "accept"), "application/json");
  EXPECT_EQ(HeaderOf(head, "host"), absl::StrCat("127.0.0.1:", server_->port()));
}

TEST_F(HttpTlsTest, AHostNameIsVerifiedToo) {
  Serve({.tls = true,
         .identity = authority().Issue({.subject_alt_name = "DNS:localhost"}),
         .only_tls_1_1 = false},
        AnswerEverything);
  options_.base_url = absl::StrCat("https://localhost:", server_->port());
  EXPECT_FALSE(Get().failure);
}

struct BadServer {
  const char* what;
  ServerOptions options;
  HttpStep step;
};

TEST_F(HttpTlsTest, BadServersGetNoByteOfTheKey) {
  const Authority other("Other Authority");
  const auto tls = [](PemPair identity) {
    return ServerOptions{.tls = true, .identity = std::move(identity), .only_tls_1_1 = false};
  };
  ServerOptions old = tls(authority().Issue(LeafOptions()));
  old.only_tls_1_1 = true;
  const std::vector<BadServer> servers = {
      {"expired", tls(authority().Issue({.valid_from_seconds = -7200, .valid_to_seconds = -3600})),
       HttpStep::kCertificate},
      {"not yet valid",
       tls(authority().Issue({.valid_from_seconds = 3600, .valid_to_seconds = 7200})),
       HttpStep::kCertificate},
      {"wrong address", tls(authority().Issue({.subject_alt_name = "IP:127.0.0.2"})),
       HttpStep::kCertificate},
      {"a name for an address", tls(authority().Issue({.subject_alt_name = "DNS:127.0.0.1"})),
       HttpStep::kCertificate},
      {"signed by itself", tls(SelfSigned(LeafOptions())), HttpStep::kCertificate},
      {"another authority", tls(other.Issue(LeafOptions())), HttpStep::kCertificate},
      {"TLS 1.1", old, HttpStep::kHandshake},
      {"plain http", ServerOptions{.tls = false, .identity = {}, .only_tls_1_1 = false},
       HttpStep::kHandshake},
  };
  for (const BadServer& bad : servers) {
    // A plain server would see the client's hello: what counts is that no request follows.
    std::atomic<bool> saw_key{false};
    Serve(bad.options, [&](ServerPeer& peer) {
      peer.Write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      const std::string bytes = peer.ReadBody(1 << 20);
      saw_key = saw_key || bytes.find(kWireKey) != std::string::npos;
    });
    options_.base_url = absl::StrCat("https://127.0.0.1:", server_->port());
    transport_.reset();
    const HttpRead read = Get();
    ASSERT_TRUE(read.failure.has_value()) << bad.what;
    EXPECT_EQ(read.failure->step, bad.step) << bad.what << ": " << read.failure->ToString();
    EXPECT_EQ(read.head.status, 0) << bad.what;
    if (bad.options.tls) {
      EXPECT_EQ(server_->received_bytes(), 0) << bad.what;
    }
    server_.reset();
    EXPECT_FALSE(saw_key) << bad.what;
  }
}

TEST_F(HttpTlsTest, AWrongHostNameIsRefused) {
  Serve({.tls = true,
         .identity = authority().Issue({.subject_alt_name = "DNS:other.test,IP:127.0.0.1"}),
         .only_tls_1_1 = false},
        AnswerEverything);
  options_.base_url = absl::StrCat("https://localhost:", server_->port());
  const HttpRead read = Get();
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_EQ(read.failure->step, HttpStep::kCertificate) << read.failure->ToString();
  EXPECT_EQ(server_->received_bytes(), 0);
}

TEST_F(HttpTlsTest, ASilentServerMeetsTheHandshakeLimit) {
  Serve({.tls = false, .identity = {}, .only_tls_1_1 = false},
        [](ServerPeer& peer) { peer.WaitUntilClosed(); });
  options_.base_url = absl::StrCat("https://127.0.0.1:", server_->port());
  options_.handshake_limit = absl::Milliseconds(100);
  const HttpRead read = Get();
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_EQ(read.failure->ToString(), "handshake: deadline");
  EXPECT_TRUE(read.failure->was_deadline);
}

TEST_F(HttpTlsTest, NobodyListening) {
  Serve(AnswerEverything);
  server_.reset();
  const HttpRead read = Get();
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_EQ(read.failure->step, HttpStep::kConnect);
}

TEST_F(HttpTlsTest, AnUnknownHost) {
  options_.base_url = "https://no-such-host.invalid";
  const HttpRead read = Get();
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_EQ(read.failure->step, HttpStep::kResolve);
}

TEST_F(HttpTlsTest, BaseUrlsThatAreRefused) {
  options_.allow_plaintext_loopback = true;
  for (const char* url :
       {"", "console.test", "ftp://127.0.0.1", "http://console.test/api", "http://10.0.0.1",
        "http://localhost", "https://user@console.test", "https://user:pw@console.test", "https://",
        "https://console.test/?a=b", "https://console.test/#x"}) {
    options_.base_url = url;
    EXPECT_FALSE(MakeHttpTransport(io_.get_executor(), options_).ok()) << url;
  }
  options_.base_url = "http://127.0.0.1:1";
  EXPECT_TRUE(MakeHttpTransport(io_.get_executor(), options_).ok());
  options_.base_url = "http://[::1]:1/x";
  EXPECT_TRUE(MakeHttpTransport(io_.get_executor(), options_).ok());
  options_.allow_plaintext_loopback = false;
  EXPECT_FALSE(MakeHttpTransport(io_.get_executor(), options_).ok());
  options_.base_url = "https://127.0.0.1:1";
  options_.ca_file = "/no/such/file.pem";
  EXPECT_FALSE(MakeHttpTransport(io_.get_executor(), options_).ok());
}

TEST_F(HttpTlsTest, PlainLoopbackWhereItIsAllowed) {
  Serve({.tls = false, .identity = {}, .only_tls_1_1 = false}, AnswerEverything);
  options_.allow_plaintext_loopback = true;
  EXPECT_FALSE(Get().failure);
  EXPECT_FALSE(Get().failure);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpTlsTest, AKeyThatNoHeaderCarriesIsNotSent) {
  Serve(AnswerEverything);
  for (const char* key : {"", "a b", "a\r\nX-Evil: 1", "\xC3\xA9"}) {
    TextSink sink;
    EXPECT_TRUE(Await(transport().Get("/x", Secret(key), sink)).failure.has_value());
  }
  EXPECT_EQ(server_->connections(), 0);
}

}  // namespace
}  // namespace lumaedit
