// A thousand readers that never read cost no more than their transport's own buffers, delay nobody,
// and are cut and counted (protocol.md section 6: "does not drain").
#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>

#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

constexpr int kConnections = 20;
constexpr int kReadersEach = 50;
constexpr int kReaders = kConnections * kReadersEach;
// Two of these are more than HTTP/2 lets out to a reader that does not read.
constexpr std::size_t kLongWord = 60'000;
// What a reader may still cost once its transport is full and ten more transitions come: a cursor,
// and what the sanitizer adds to all that moves. A queue would take 600,000.
constexpr std::int64_t kCursorBytes = 16 * 1024;

std::int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  file >> all >> resident;
  return resident * 4096;
}

class DeadReaders {
 public:
  DeadReaders(const Gateway& gateway, const std::string& job_id) {
    v1::WatchJobRequest request;
    request.set_job_id(job_id);
    for (int i = 0; i < kConnections; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 0);
      arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
      stubs_.push_back(v1::EditService::NewStub(grpc::CreateCustomChannel(
          gateway.address(), grpc::InsecureChannelCredentials(), arguments)));
      for (int j = 0; j < kReadersEach; ++j) {
        contexts_.push_back(std::make_unique<grpc::ClientContext>());
        readers_.push_back(stubs_.back()->WatchJob(contexts_.back().get(), request));
      }
    }
  }
  ~DeadReaders() {
    v1::WatchJobResponse message;
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      contexts_[i]->TryCancel();
      while (readers_[i]->Read(&message)) {
      }
      EXPECT_FALSE(readers_[i]->Finish().ok());
    }
  }

 private:
  std::vector<std::unique_ptr<v1::EditService::Stub>> stubs_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchJobResponse>>> readers_;
};

TEST(DeadReadersTest, AThousandDelayNobodyAndAreCut) {
  GatewayOptions options;
  options.rpc.tick = absl::Milliseconds(50);
  options.rpc.stalled_write = absl::Seconds(15);
  Gateway gateway(options);
  ASSERT_TRUE(gateway.started().ok()) << gateway.started();
  const std::string id = gateway.SubmitOne();
  const auto stub = gateway.Stub();
  std::atomic<int> told = 0;
  auto living = std::async(std::launch::async, [&] {
    return WatchToEnd(*stub, id, 0, [&](const v1::WatchJobResponse& message) {
      if (message.has_transition()) told = message.transition().sequence();
    });
  });
  ASSERT_TRUE(Eventually([&] { return told == 1; }));

  int sequence = 1;
  // The longest time from a commit to its message, of some.
  const auto longest = [&](int moves) {
    absl::Duration most = absl::ZeroDuration();
    for (int i = 0; i < moves; ++i) {
      const auto to = sequence % 2 == 1 ? JobState::kSubmitting : JobState::kPending;
      const absl::Time before = absl::Now();
      gateway.Move(id, to, [&](Job& job) {
        job.upstream_status.assign(kLongWord, static_cast<char>('a' + i));
      });
      ++sequence;
      EXPECT_TRUE(Eventually([&] { return told == sequence; }, absl::Seconds(60)));
      most = std::max(most, absl::Now() - before);
    }
    return most;
  };
  const absl::Duration alone = longest(10);
  {
    const DeadReaders dead(gateway, id);
    ASSERT_TRUE(Eventually([&] { return gateway.hub().watcher_count() == kReaders + 1; },
                           absl::Seconds(60)));
    const absl::Duration among_the_dead = longest(10);
    EXPECT_LE(among_the_dead, 10 * alone + absl::Seconds(1));
    const std::int64_t full = ResidentBytes();
    longest(10);
    EXPECT_LE(ResidentBytes() - full, kReaders * kCursorBytes);
    EXPECT_EQ(gateway.service().ended_streams(StreamEnd::kStalled), 0) << "cut too early to tell";
    EXPECT_TRUE(
        Eventually([&] { return gateway.service().ended_streams(StreamEnd::kStalled) == kReaders; },
                   absl::Seconds(90)))
        << gateway.service().ended_streams(StreamEnd::kStalled);
    EXPECT_TRUE(Eventually([&] { return gateway.hub().watcher_count() == 1; }, absl::Seconds(60)));
    // Cutting them delays nobody either.
    EXPECT_LE(longest(2), 10 * alone + absl::Seconds(1));
    RecordProperty("alone_us", static_cast<int>(absl::ToInt64Microseconds(alone)));
    RecordProperty("among_us", static_cast<int>(absl::ToInt64Microseconds(among_the_dead)));
  }
  if (sequence % 2 == 1) gateway.Move(id, JobState::kSubmitting), ++sequence;
  gateway.Move(id, JobState::kQueued);
  gateway.Move(id, JobState::kSucceeded);
  const Watched watched = living.get();
  EXPECT_TRUE(watched.status.ok()) << watched.status.error_message();
  EXPECT_EQ(static_cast<int>(watched.sequences.size()), sequence + 2);
  EXPECT_TRUE(std::is_sorted(watched.sequences.begin(), watched.sequences.end()));
}

}  // namespace
}  // namespace lumaedit
