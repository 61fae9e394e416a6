// Health, reflection, and the settings of hardening.md section 2 at work.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/wire/rpc/gateway.h"
#include "tests/wire/rpc/raw_call.h"

namespace lumaedit {
namespace {

using ::testing::HasSubstr;

// A socket that says nothing.
class SilentPeer {
 public:
  explicit SilentPeer(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~SilentPeer() { close(fd_); }
  bool connected() const { return connected_; }

  // Reads what comes until the other side closes; false after `limit_ms` without a byte.
  bool IsClosed(int limit_ms) {
    char buffer[4096];
    for (;;) {
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, limit_ms) <= 0) return false;
      if (read(fd_, buffer, sizeof(buffer)) <= 0) return true;
    }
  }

 private:
  int fd_;
  bool connected_;
};

// The health protocol's messages by hand: its generated code is not packaged.
int HealthOf(const std::string& address, const std::string& service) {
  const std::string request =
      service.empty()
          ? ""
          : absl::StrCat("\x0A", std::string(1, static_cast<char>(service.size())), service);
  std::string answer;
  const grpc::Status status =
      RawCall(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()),
              "/grpc.health.v1.Health/Check", request, GRPC_COMPRESS_NONE, &answer);
  if (!status.ok()) return -static_cast<int>(status.error_code());
  return answer.size() == 2 ? answer[1] : 0;  // field 1: 1 SERVING, 2 NOT_SERVING
}

TEST(Server, HealthIsToldOnBothPorts) {
  GatewayOptions options;
  options.server.health_listen = "127.0.0.1:0";
  Gateway gateway(options);
  ASSERT_TRUE(gateway.started().ok()) << gateway.started();
  const std::string health = absl::StrCat("127.0.0.1:", gateway.server().health_port());
  for (const std::string& address : {gateway.address(), health}) {
    EXPECT_EQ(HealthOf(address, ""), 1);
    EXPECT_EQ(HealthOf(address, "lumaedit.v1.EditService"), 1);
    EXPECT_EQ(HealthOf(address, "unknown"), -static_cast<int>(grpc::StatusCode::NOT_FOUND));
  }
  gateway.server().Drain();
  for (const std::string& address : {gateway.address(), health}) {
    EXPECT_EQ(HealthOf(address, ""), 2);
    EXPECT_EQ(HealthOf(address, "lumaedit.v1.EditService"), 2);
  }
}

TEST(Server, TheHealthPortServesNoEdits) {
  GatewayOptions options;
  options.server.health_listen = "127.0.0.1:0";
  Gateway gateway(options);
  ASSERT_TRUE(gateway.started().ok());
  auto channel = grpc::CreateChannel(absl::StrCat("127.0.0.1:", gateway.server().health_port()),
                                     grpc::InsecureChannelCredentials());
  EXPECT_EQ(RawCall(channel, "GetJob", "").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(Server, ReflectionIsServed) {
  Gateway gateway;
  ASSERT_TRUE(gateway.started().ok());
  auto channel = gateway.Connect();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::internal::RpcMethod method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                   grpc::internal::RpcMethod::BIDI_STREAMING, channel);
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          channel.get(), method, &context));
  const grpc::Slice list("\x3A\x00", 2);  // list_services = ""
  ASSERT_TRUE(stream->Write(grpc::ByteBuffer(&list, 1)));
  grpc::ByteBuffer answer;
  ASSERT_TRUE(stream->Read(&answer));
  std::vector<grpc::Slice> slices;
  answer.Dump(&slices);
  std::string text;
  for (const grpc::Slice& part : slices) {
    text.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  EXPECT_THAT(text, HasSubstr("lumaedit.v1.EditService"));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(Server, PlaintextListensOnLoopbackOnly) {
  GatewayOptions options;
  options.server.listen = "0.0.0.0:0";
  Gateway gateway(options);
  EXPECT_EQ(gateway.started().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(gateway.started().message()), HasSubstr("loopback"));
}

TEST(Server, APortIsNotShared) {
  Gateway first;
  ASSERT_TRUE(first.started().ok());
  GatewayOptions options;
  options.server.listen = first.address();
  Gateway second(options);
  EXPECT_EQ(second.started().code(), absl::StatusCode::kUnavailable);
}

TEST(Server, ASilentPeerIsDropped) {
  GatewayOptions options;
  options.server.handshake_timeout = absl::Milliseconds(200);
  Gateway gateway(options);
  ASSERT_TRUE(gateway.started().ok());
  SilentPeer peer(gateway.server().port());
  ASSERT_TRUE(peer.connected());
  EXPECT_TRUE(peer.IsClosed(20'000));
}

}  // namespace
}  // namespace lumaedit
