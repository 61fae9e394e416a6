// Client::Upload: what is sent, how it goes on after breaks, and what ends it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <fstream>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"
#include "tests/fakes/temp_folder.h"
#include "tests/wire/client/cutting_proxy.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// A gateway's store of one source, whose streams end as the test says.
class OneSource {
 public:
  // A stream takes so many bytes, then ends with this status.
  struct Break {
    std::int64_t after_bytes = 0;
    grpc::Status status;
  };

  explicit OneSource(ScriptedGateway& gateway) {
    gateway.on_source = [this](const std::string&, v1::Source* source) {
      const std::lock_guard lock(mutex_);
      if (!open_.has_value()) {
        return Failure(grpc::StatusCode::NOT_FOUND, "SOURCE_NOT_FOUND");
      }
      Show(source);
      return grpc::Status::OK;
    };
    gateway.on_upload = [this](grpc::ServerContext&,
                               grpc::ServerReader<v1::UploadSourceRequest>& reader,
                               v1::Source* source) { return Take(reader, source); };
  }

  void BreakNext(std::int64_t after_bytes, grpc::Status status) {
    const std::lock_guard lock(mutex_);
    breaks_.push_back({after_bytes, std::move(status)});
  }

  std::string bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }
  void SetBytes(std::string bytes) {
    const std::lock_guard lock(mutex_);
    bytes_ = std::move(bytes);
  }
  std::vector<v1::UploadSourceRequest::Open> opens() const {
    const std::lock_guard lock(mutex_);
    return opens_;
  }

 private:
  void Show(v1::Source* source) const {
    source->set_id(open_->source_id());
    source->set_size_bytes(open_->size_bytes());
    source->set_received_bytes(static_cast<std::int64_t>(bytes_.size()));
    source->set_state(source->received_bytes() == source->size_bytes()
                          ? v1::Source::STATE_READY
                          : v1::Source::STATE_UPLOADING);
  }

  grpc::Status Take(grpc::ServerReader<v1::UploadSourceRequest>& reader, v1::Source* source) {
    std::optional<Break> end;
    v1::UploadSourceRequest message;
    if (!reader.Read(&message) || !message.has_open()) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no open");
    }
    {
      const std::lock_guard lock(mutex_);
      open_ = message.open();
      opens_.push_back(message.open());
      if (!breaks_.empty()) {
        end = breaks_.front();
        breaks_.pop_front();
      }
      if (message.open().offset() != static_cast<std::int64_t>(bytes_.size())) return Elsewhere();
    }
    const std::int64_t from = message.open().offset();
    for (std::int64_t taken = 0;;) {
      if (end.has_value() && taken >= end->after_bytes) return end->status;
      if (!reader.Read(&message)) break;
      const std::lock_guard lock(mutex_);
      // The stream of a broken connection may still have bytes that its successor brings again.
      if (from + taken != static_cast<std::int64_t>(bytes_.size())) return Elsewhere();
      taken += static_cast<std::int64_t>(message.chunk().size());
      bytes_ += message.chunk();
    }
    const std::lock_guard lock(mutex_);
    if (static_cast<std::int64_t>(bytes_.size()) < open_->size_bytes()) return Elsewhere();
    Show(source);
    return grpc::Status::OK;
  }

  grpc::Status Elsewhere() const {
    ClientError details;
    details.reason_name = "UPLOAD_OFFSET";
    details.metadata["received_bytes"] = std::to_string(bytes_.size());
    return Failure(grpc::StatusCode::FAILED_PRECONDITION, details);
  }

  mutable std::mutex mutex_;
  std::optional<v1::UploadSourceRequest::Open> open_;  // under mutex_, as is what follows
  std::vector<v1::UploadSourceRequest::Open> opens_;
  std::deque<Break> breaks_;
  std::string bytes_;
};

class UploadTest : public ::testing::Test {
 protected:
  UploadTest() : source_(gateway_) {
    for (std::size_t i = 0; i < 3'000'000; ++i) {
      content_ += static_cast<char>(i * 31 + i / 4099);
    }
    path_ = folder_ / "take.mp4";
    std::ofstream(path_, std::ios::binary) << content_;
    Connect(gateway_.address());
  }

  void Connect(const std::string& address) {
    ClientOptions options;
    options.connection.address = address;
    options.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    auto client = Client::Create(options);
    ASSERT_TRUE(client.ok());
    client_ = std::move(*client);
  }

  UploadOptions Quick() {
    UploadOptions options;
    options.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    options.on_interrupted = [this](const ClientError& error, absl::Duration) {
      interruptions_.push_back(error);
    };
    return options;
  }

  ScriptedGateway gateway_;
  OneSource source_;
  TempFolder folder_;
  std::string path_;
  std::string content_;
  std::unique_ptr<Client> client_;
  std::vector<ClientError> interruptions_;
};

TEST_F(UploadTest, TheWholeFileArrivesUnderAnIdOfItsOwn) {
  UploadOptions options = Quick();
  std::int64_t last = 0;
  options.on_progress = [&](const UploadProgress& progress) {
    if (progress.phase == UploadProgress::Phase::kSending) {
      EXPECT_GE(progress.bytes, last);
      EXPECT_EQ(progress.size_bytes, 3'000'000);
      last = progress.bytes;
    }
  };
  const auto source = client_->Upload(path_, options);
  ASSERT_TRUE(source.ok()) << source.error().ToString();
  EXPECT_EQ(source->state(), v1::Source::STATE_READY);
  EXPECT_TRUE(source_.bytes() == content_);
  EXPECT_EQ(last, 3'000'000);
  ASSERT_EQ(source_.opens().size(), 1u);
  const v1::UploadSourceRequest::Open open = source_.opens()[0];
  EXPECT_EQ(open.media_type(), "video/mp4");
  EXPECT_EQ(open.sha256().size(), 32u);
  EXPECT_EQ(open.source_id(), SourceIdOf(3'000'000, open.sha256(), "video/mp4"));
  EXPECT_EQ(open.source_id()[14], '8');
  EXPECT_NE(open.source_id(), SourceIdOf(3'000'000, open.sha256(), "video/webm"));

  // Again, from the end on.
  ASSERT_TRUE(client_->Upload(path_, Quick()).ok());
  EXPECT_EQ(source_.opens().back().offset(), 3'000'000);
  EXPECT_TRUE(source_.bytes() == content_);
}

TEST_F(UploadTest, ABrokenStreamGoesOnAtTheOffsetThatTheGatewayTells) {
  for (int i = 0; i < 4; ++i) {
    source_.BreakNext(500'000, Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 0));
  }
  const auto source = client_->Upload(path_, Quick());
  ASSERT_TRUE(source.ok()) << source.error().ToString();
  EXPECT_TRUE(source_.bytes() == content_);
  EXPECT_EQ(interruptions_.size(), 4u);
  std::int64_t before = -1;
  for (const auto& open : source_.opens()) {
    EXPECT_GT(open.offset(), before);
    before = open.offset();
  }
}

TEST_F(UploadTest, ConnectionsThatAreCutAgainAndAgain) {
  CuttingProxy proxy(gateway_.port());
  Connect("127.0.0.1:" + std::to_string(proxy.port()));
  // Towards the client there is little but flow control: hundreds of bytes are hundreds of KB the
  // other way.
  proxy.CutAfterBytes(150, 400);
  UploadOptions options = Quick();
  options.on_interrupted = [&](const ClientError& error, absl::Duration) {
    interruptions_.push_back(error);
    if (interruptions_.size() == 12) proxy.CutAfterBytes(0, 0);
  };
  const auto source = client_->Upload(path_, options);
  ASSERT_TRUE(source.ok()) << source.error().ToString();
  EXPECT_TRUE(source_.bytes() == content_);
  EXPECT_GE(interruptions_.size(), 1u);
}

TEST_F(UploadTest, ARefusalEndsItAtOnce) {
  for (const char* reason : {"NOT_A_VIDEO", "SOURCE_TOO_LONG", "INVALID_FIELDS"}) {
    source_.BreakNext(0, Failure(grpc::StatusCode::INVALID_ARGUMENT, reason));
    const std::size_t before = source_.opens().size();
    const auto source = client_->Upload(path_, Quick());
    ASSERT_FALSE(source.ok());
    EXPECT_EQ(source.error().reason_name, reason);
    EXPECT_EQ(source_.opens().size(), before + 1);
  }
  source_.BreakNext(0, Failure(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"));
  EXPECT_EQ(client_->Upload(path_, Quick()).error().reason_name, "QUOTA_EXCEEDED");
  source_.BreakNext(0, Failure(grpc::StatusCode::ALREADY_EXISTS, "SOURCE_CONFLICT"));
  EXPECT_EQ(client_->Upload(path_, Quick()).error().reason_name, "SOURCE_CONFLICT");
  EXPECT_TRUE(interruptions_.empty());
}

TEST_F(UploadTest, WhatMayPassIsTriedAgain) {
  source_.BreakNext(0, Failure(grpc::StatusCode::RESOURCE_EXHAUSTED, "OVERLOADED", 0));
  source_.BreakNext(0, grpc::Status(grpc::StatusCode::INTERNAL, "a proxy fell"));
  source_.BreakNext(1, Failure(grpc::StatusCode::UNAVAILABLE, "STORAGE_FULL", 0));
  ASSERT_TRUE(client_->Upload(path_, Quick()).ok());
  EXPECT_EQ(interruptions_.size(), 3u);
  EXPECT_TRUE(source_.bytes() == content_);
}

TEST_F(UploadTest, AnotherHashBeginsAnewOnce) {
  source_.BreakNext(0, Failure(grpc::StatusCode::INVALID_ARGUMENT, "CHECKSUM_MISMATCH"));
  ASSERT_TRUE(client_->Upload(path_, Quick()).ok());
  source_.BreakNext(0, Failure(grpc::StatusCode::INVALID_ARGUMENT, "CHECKSUM_MISMATCH"));
  source_.BreakNext(0, Failure(grpc::StatusCode::INVALID_ARGUMENT, "CHECKSUM_MISMATCH"));
  EXPECT_EQ(client_->Upload(path_, Quick()).error().reason, v1::ERROR_REASON_CHECKSUM_MISMATCH);
}

TEST_F(UploadTest, AGatewayThatStaysAwayEndsIt) {
  for (int i = 0; i < 1000; ++i) {
    source_.BreakNext(0, Failure(grpc::StatusCode::UNAVAILABLE, "OVERLOADED", 0));
  }
  UploadOptions options = Quick();
  options.max_outage = absl::Seconds(1);
  const auto source = client_->Upload(path_, options);
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().reason, v1::ERROR_REASON_OVERLOADED);
  EXPECT_GE(interruptions_.size(), 2u);
}

TEST_F(UploadTest, AGatewayThatTakesNothingIsLeft) {
  std::mutex mutex;
  int silent = 1;
  const auto take = gateway_.on_upload;
  gateway_.on_upload = [&](grpc::ServerContext& context,
                           grpc::ServerReader<v1::UploadSourceRequest>& reader,
                           v1::Source* source) {
    {
      std::unique_lock lock(mutex);
      if (silent-- > 0) {
        lock.unlock();
        while (!context.IsCancelled()) std::this_thread::yield();
        return grpc::Status::CANCELLED;
      }
    }
    return take(context, reader, source);
  };
  UploadOptions options = Quick();
  options.silence_limit = absl::Seconds(1);
  options.check_limit = absl::Seconds(1);  // if the buffers between us take it all
  const auto source = client_->Upload(path_, options);
  ASSERT_TRUE(source.ok()) << source.error().ToString();
  ASSERT_EQ(interruptions_.size(), 1u);
  EXPECT_THAT(interruptions_[0].message, AnyOf(HasSubstr("took nothing"), HasSubstr("no answer")));
}

TEST_F(UploadTest, AStopLeavesWhatIsThere) {
  std::stop_source stop;
  UploadOptions options = Quick();
  options.stop = stop.get_token();
  options.on_progress = [&](const UploadProgress& progress) {
    if (progress.bytes > 1'000'000) stop.request_stop();
  };
  EXPECT_EQ(client_->Upload(path_, options).error().code, absl::StatusCode::kCancelled);
  options.on_progress = nullptr;
  EXPECT_EQ(client_->Upload(path_, options).error().code, absl::StatusCode::kCancelled);
  ASSERT_TRUE(client_->Upload(path_, Quick()).ok());
  EXPECT_TRUE(source_.bytes() == content_);
}

TEST_F(UploadTest, ARateIsKept) {
  UploadOptions options = Quick();
  options.bytes_per_second = 10'000'000;
  const absl::Time began = absl::Now();
  ASSERT_TRUE(client_->Upload(path_, options).ok());
  EXPECT_GE(absl::Now() - began, absl::Milliseconds(280));
}

TEST_F(UploadTest, FilesThatCannotServeAreToldBeforeAnythingIsSent) {
  EXPECT_EQ(client_->Upload(folder_ / "none.mp4").error().code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Upload(folder_ / ".mp4").error().code, absl::StatusCode::kInvalidArgument);
  std::ofstream(folder_ / "empty.mp4");
  EXPECT_THAT(client_->Upload(folder_ / "empty.mp4").error().message, HasSubstr("is empty"));
  std::ofstream(folder_ / "take") << "x";
  EXPECT_THAT(client_->Upload(folder_ / "take").error().message, HasSubstr("media type"));
  EXPECT_TRUE(source_.opens().empty());
}

}  // namespace
}  // namespace lumaedit::client
