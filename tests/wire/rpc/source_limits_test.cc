// Limits of UploadSource: sizes and quota, streams that are silent, many, stopped or racing.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/fakes/fake_media_probe.h"
#include "tests/wire/rpc/corpus.h"
#include "tests/wire/rpc/source_calls.h"

namespace lumaedit {
namespace {

TEST_F(SourceCalls, LimitsOfSizeAndQuotaHold) {
  const std::string video = PaddedVideo(1'000'000);
  GatewayOptions options;
  options.sources.largest_bytes = static_cast<std::int64_t>(video.size());
  options.source_quota_bytes = static_cast<std::int64_t>(2 * video.size());
  Restart(options);
  v1::UploadSourceRequest larger = Open(video);
  larger.mutable_open()->set_size_bytes(larger.open().size_bytes() + 1);
  EXPECT_THAT(FailureOf(Send({larger})).fields, testing::ElementsAre("open.size_bytes"));
  Uploaded(video);
  Uploaded(video);
  v1::Source source;
  const Failure full = FailureOf(Upload(Open(video), video, &source));
  EXPECT_EQ(full.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(full.reason, "QUOTA_EXCEEDED");
}

// A probe that waits until the test lets it go.
class HeldProbe final : public MediaProbe {
 public:
  absl::StatusOr<MediaInfo> Probe(SourceReader& /*bytes*/) override {
    std::unique_lock lock(mutex_);
    ++asked_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return released_; });
    return FakeMediaProbe().answer;
  }
  void WaitUntilAsked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_ > 0; });
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int asked_ = 0;
  bool released_ = false;
};

TEST_F(SourceCalls, NobodyWaitsForAVideoThatIsMeasured) {
  HeldProbe probe;
  GatewayOptions options;
  options.probe = &probe;
  Restart(options);
  const v1::UploadSourceRequest open = Open("bytes");
  v1::Source source;
  std::thread uploading([&] { EXPECT_TRUE(Upload(open, "bytes", &source).ok()); });
  probe.WaitUntilAsked();
  // Whole, but not usable; everything else goes on.
  const v1::Source measured = Got(open.open().source_id());
  EXPECT_EQ(measured.state(), v1::Source::STATE_UPLOADING);
  EXPECT_EQ(measured.received_bytes(), 5);
  v1::SubmitEditRequest request = gateway_->Good();
  request.mutable_edit()->set_source_id(open.open().source_id());
  v1::Job job;
  grpc::ClientContext context;
  const Failure early = FailureOf(stub_->SubmitEdit(&context, request, &job));
  EXPECT_EQ(early.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(early.reason, "SOURCE_NOT_READY");
  EXPECT_NE(gateway_->SubmitOne(), "");
  // A stop does not end what is about to be answered.
  gateway_->service().DrainStreams();
  probe.Release();
  uploading.join();
  EXPECT_EQ(source.state(), v1::Source::STATE_READY);
  stub_.reset();
  gateway_.reset();  // before its probe
}

TEST_F(SourceCalls, AStopEndsUploadsThatGoOnLater) {
  const std::string video = PaddedVideo(2'000'000);
  v1::UploadSourceRequest open = Open(video);
  grpc::ClientContext context;
  v1::Source source;
  auto writer = stub_->UploadSource(&context, &source);
  ASSERT_TRUE(writer->Write(open));
  ASSERT_TRUE(writer->Write(Chunk(video.substr(0, 1000))));
  ASSERT_TRUE(Eventually([&] {
    v1::Source so_far;
    return Get(open.open().source_id(), &so_far).ok() && so_far.received_bytes() == 1000;
  }));
  gateway_->service().DrainStreams();
  const Failure ended = FailureOf(writer->Finish());
  EXPECT_EQ(ended.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ended.reason, "DRAINING");
  EXPECT_TRUE(ended.retry_after.has_value());
  EXPECT_EQ(FailureOf(Send({open})).reason, "DRAINING");
  EXPECT_EQ(Got(open.open().source_id()).received_bytes(), 1000);
}

TEST_F(SourceCalls, ASilentUploadIsEnded) {
  GatewayOptions options;
  options.rpc.upload_silence = absl::Milliseconds(100);
  options.rpc.tick = absl::Milliseconds(10);
  Restart(options);
  grpc::ClientContext context;
  v1::Source source;
  auto writer = stub_->UploadSource(&context, &source);
  // Where this thread has to wait for its turn, the silence may be over already.
  static_cast<void>(writer->Write(Open("0123456789")));
  const Failure ended = FailureOf(writer->Finish());
  EXPECT_EQ(ended.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ended.reason, "STREAM_ROTATED");
  EXPECT_TRUE(Eventually([&] { return gateway_->service().open_uploads() == 0; }));
}

TEST_F(SourceCalls, UploadsAtATimeAreLimited) {
  GatewayOptions options;
  options.rpc.uploads_per_caller = 2;
  Restart(options);
  grpc::ClientContext contexts[2];
  v1::Source source;
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadSourceRequest>>> open_ones;
  for (auto& context : contexts) {
    open_ones.push_back(stub_->UploadSource(&context, &source));
    ASSERT_TRUE(open_ones.back()->Write(Open("0123456789")));
  }
  ASSERT_TRUE(Eventually([&] { return gateway_->service().open_uploads() == 2; }));
  const Failure third = FailureOf(Send({Open("0123456789")}));
  EXPECT_EQ(third.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(third.reason, "OVERLOADED");
  EXPECT_TRUE(third.retry_after.has_value());
  for (auto& context : contexts) context.TryCancel();
  for (auto& writer : open_ones) EXPECT_FALSE(writer->Finish().ok());
  ASSERT_TRUE(Eventually([&] { return gateway_->service().open_uploads() == 0; }));
  Uploaded(PaddedVideo(10));
}

// Two streams of one upload: what one has stored, the other cannot store again.
TEST_F(SourceCalls, RacingStreamsOfOneUploadStoreTheFile) {
  const std::string video = PaddedVideo(4'000'000);
  const v1::UploadSourceRequest open = Open(video);
  std::atomic<int> ready = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      v1::UploadSourceRequest mine = open;
      for (int tries = 0; tries < 200; ++tries) {
        v1::Source source;
        const grpc::Status status = Upload(mine, video, &source, std::string::npos, 100'000);
        if (status.ok()) {
          EXPECT_EQ(source.state(), v1::Source::STATE_READY);
          ++ready;
          return;
        }
        const Failure failure = FailureOf(status);
        EXPECT_EQ(failure.reason, "UPLOAD_OFFSET") << failure.message;
        mine.mutable_open()->set_offset(std::stoll(failure.metadata.at("received_bytes")));
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(ready, 4);
  EXPECT_TRUE(StoredBytes(open.open().source_id()) == video);
}

}  // namespace
}  // namespace lumaedit
