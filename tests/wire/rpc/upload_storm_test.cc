// Uploads that cancel, expire, fall silent, stop early and race the server's own end of them: each
// stream ends once, and what was answered READY is the file.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "server/base/hash.h"
#include "tests/fakes/fake_media_probe.h"
#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

constexpr int kClients = 8;
constexpr int kRounds = 40;

class Client {
 public:
  Client(Gateway& gateway, unsigned seed)
      : gateway_(gateway), stub_(gateway.Stub()), random_(seed) {}

  // Uploads one file to its end, by streams that mostly break. False: the gateway drains.
  bool Run() {
    const std::string bytes(static_cast<std::size_t>(Pick(1, 400'000)),
                            static_cast<char>(random_()));
    v1::UploadSourceRequest open;
    open.mutable_open()->set_source_id(gateway_.random().Uuid());
    open.mutable_open()->set_media_type("video/mp4");
    open.mutable_open()->set_size_bytes(static_cast<std::int64_t>(bytes.size()));
    open.mutable_open()->set_sha256(absl::HexStringToBytes(Sha256Hex(bytes)));
    for (int stream = 0; stream < 1000; ++stream) {
      const bool whole = stream > 6;
      const grpc::Status status = Stream(open, bytes, whole);
      const Failure failure = FailureOf(status);
      if (status.ok()) return CheckStored(open.open().source_id(), bytes);
      if (failure.reason == "DRAINING") return false;
      const bool expected =
          status.error_code() == grpc::StatusCode::CANCELLED ||
          status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
          failure.reason == "UPLOAD_OFFSET" || failure.reason == "STREAM_ROTATED" ||
          (failure.reason == "TRUNCATED" && failure.metadata.count("received_bytes") > 0);
      EXPECT_TRUE(expected) << status.error_code() << " " << failure.reason << " "
                            << status.error_message();
      if (!expected) return false;
      grpc::ClientContext context;
      v1::GetSourceRequest request;
      request.set_source_id(open.open().source_id());
      v1::Source source;
      if (stub_->GetSource(&context, request, &source).ok()) {
        open.mutable_open()->set_offset(source.received_bytes());
      }
    }
    ADD_FAILURE() << "it never came to an end";
    return false;
  }

 private:
  int Pick(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }

  grpc::Status Stream(const v1::UploadSourceRequest& open, const std::string& bytes, bool whole) {
    grpc::ClientContext context;
    const int fate = whole ? 0 : Pick(0, 4);
    const auto limit =
        fate == 1 ? std::chrono::milliseconds(Pick(0, 15)) : std::chrono::seconds(30);
    context.set_deadline(std::chrono::system_clock::now() + limit);
    v1::Source source;
    auto writer = stub_->UploadSource(&context, &source);
    std::thread canceller;
    if (fate == 2) {
      canceller = std::thread([&context, spins = Pick(0, 2000)] {
        for (int i = 0; i < spins; ++i) std::this_thread::yield();
        context.TryCancel();
      });
    }
    bool line = writer->Write(open);
    auto at = static_cast<std::size_t>(open.open().offset());
    const auto end = fate == 3 ? at + static_cast<std::size_t>(Pick(0, 100'000)) : bytes.size();
    v1::UploadSourceRequest message;
    while (line && at < std::min(end, bytes.size())) {
      const auto size =
          std::min<std::size_t>(static_cast<std::size_t>(Pick(1, 60'000)), bytes.size() - at);
      message.set_chunk(bytes.substr(at, size));
      line = writer->Write(message);
      at += size;
    }
    // Says nothing more: the server ends it.
    if (fate != 4) writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (canceller.joinable()) canceller.join();
    return status;
  }

  bool CheckStored(const std::string& id, const std::string& bytes) {
    auto reader = gateway_.sources().Read("local", id);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return false;
    EXPECT_TRUE(*(*reader)->Read(0, (*reader)->size_bytes()) == bytes);
    return true;
  }

  Gateway& gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
  std::mt19937 random_;
};

TEST(UploadStorm, EveryStreamEndsOnceAndWhatIsReadyIsTheFile) {
  FakeMediaProbe probe;
  GatewayOptions options;
  options.probe = &probe;
  options.rpc.tick = absl::Milliseconds(2);
  options.rpc.upload_silence = absl::Milliseconds(20);
  options.rpc.uploads_per_caller = options.rpc.most_uploads = 1000;
  Gateway gateway(options);
  ASSERT_TRUE(gateway.started().ok()) << gateway.started();
  std::atomic<int> ready = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&gateway, &ready, i] {
      Client client(gateway, static_cast<unsigned>(i) + 1);
      for (int round = 0; round < kRounds; ++round) {
        if (!client.Run()) return;
        ++ready;
      }
    });
  }
  // The last quarter meets a stop of the server.
  EXPECT_TRUE(Eventually([&] { return ready >= kClients * kRounds * 3 / 4; }, absl::Seconds(90)));
  gateway.service().DrainStreams();
  for (auto& client : clients) client.join();
  EXPECT_TRUE(Eventually([&] { return gateway.service().open_uploads() == 0; }));
}

}  // namespace
}  // namespace lumaedit
