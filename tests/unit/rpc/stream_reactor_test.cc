// The stream's own law: never two writes, never a Finish over an open write, one Finish, whatever
// comes in which order. gRPC 1.51 hides a breach of the second, so the test stands in its place.
#include "server/rpc/stream_reactor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"
#include "tests/fakes/seeded_random.h"

namespace lumaedit {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::Le;
using ::testing::Lt;

constexpr StreamReactor::Times kTimes = {absl::Seconds(15), absl::Minutes(30), absl::Seconds(60)};

// A stream with gRPC's side played by the test.
class Stream final : public StreamReactor {
 public:
  Stream(Shared shared, Times times) : StreamReactor(shared, times, nullptr) {}

  // There is one message more; the stream ends OK with the last of `last_of`.
  void Offer() {
    {
      MutexLock lock(mutex_);
      ++offered_;
    }
    Wake();
  }
  void LastIs(int number) {
    MutexLock lock(mutex_);
    last_ = number;
  }
  // gRPC's answer to the open write, if there is one.
  bool CompleteWrite(bool ok) {
    if (!open.exchange(false)) return false;
    OnWriteDone(ok);
    return true;
  }

  std::atomic<bool> open = false;
  std::atomic<int> writes = 0;
  std::atomic<int> finishes = 0;
  std::atomic<int> breaches = 0;
  std::atomic<int> cuts = 0;
  std::atomic<int> heartbeats = 0;
  std::atomic<int> code = -1;

 private:
  void Begin() override {}
  void Leave() override {}
  Frame Next(bool heartbeat_due) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Frame frame;
    if (sent_ < offered_) {
      ++sent_;
      frame.bytes = std::make_shared<const grpc::ByteBuffer>();
      frame.last = sent_ == last_;
    } else if (heartbeat_due) {
      ++heartbeats;
      frame.bytes = std::make_shared<const grpc::ByteBuffer>();
    }
    return frame;
  }
  void DoWrite(const grpc::ByteBuffer* frame) override {
    if (frame == nullptr || open.load() || finishes.load() != 0) ++breaches;
    ++writes;
    open = true;
  }
  void DoWriteLast(const grpc::ByteBuffer* frame) override {
    if (frame == nullptr || open.load()) ++breaches;
    ++finishes;
    code = 0;
  }
  void DoFinish(const grpc::Status& status) override {
    if (open.load()) ++breaches;
    ++finishes;
    code = status.error_code();
  }
  void Cut() override { ++cuts; }

  int offered_ ABSL_GUARDED_BY(mutex_) = 0;
  int sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int last_ ABSL_GUARDED_BY(mutex_) = -1;
};

class StreamReactorTest : public testing::Test {
 protected:
  std::shared_ptr<Stream> Make() {
    auto stream = std::make_shared<Stream>(StreamReactor::Shared{registry_, clock_, log_}, kTimes);
    stream->Start();
    return stream;
  }

  ManualClock clock_{absl::UnixEpoch()};
  RecordingLog log_;
  SeededRandom random_{1};
  StreamRegistry registry_{{absl::Hours(1), absl::Seconds(5), 1000, {}}, clock_, random_};
};

TEST_F(StreamReactorTest, AnEndWaitsForTheOpenWrite) {
  const auto stream = Make();
  stream->Offer();
  ASSERT_TRUE(stream->open);
  stream->End(absl::UnavailableError("draining"));
  stream->Offer();
  EXPECT_EQ(stream->finishes, 0);
  stream->CompleteWrite(true);
  EXPECT_EQ(stream->finishes, 1);
  EXPECT_EQ(stream->code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(stream->writes, 1);
  EXPECT_EQ(stream->breaches, 0);
  stream->OnDone();
}

TEST_F(StreamReactorTest, ACancelWaitsForTheOpenWriteToo) {
  const auto stream = Make();
  stream->Offer();
  stream->OnCancel();
  EXPECT_EQ(stream->finishes, 0);
  stream->CompleteWrite(false);
  EXPECT_EQ(stream->code, grpc::StatusCode::CANCELLED);
  EXPECT_EQ(stream->breaches, 0);
  stream->OnDone();
}

TEST_F(StreamReactorTest, AWriteThatDoesNotDrainIsCutOnceAndCounted) {
  const auto stream = Make();
  stream->Offer();
  stream->Tick(clock_.Uptime() + kTimes.stalled_write - absl::Seconds(1));
  EXPECT_EQ(stream->cuts, 0);
  for (int i = 0; i < 3; ++i) stream->Tick(clock_.Uptime() + kTimes.stalled_write);
  EXPECT_EQ(stream->cuts, 1);
  EXPECT_EQ(stream->finishes, 0);
  stream->CompleteWrite(false);
  EXPECT_EQ(stream->finishes, 1);
  stream->OnDone();
  EXPECT_EQ(registry_.ended(StreamEnd::kStalled), 1);
  EXPECT_EQ(registry_.ended(StreamEnd::kLeft), 0);
}

TEST_F(StreamReactorTest, EveryEndIsCountedUnderItsReason) {
  for (const auto& [reason, how] :
       {std::pair{ErrorReason::kStreamRotated, StreamEnd::kRotated},
        std::pair{ErrorReason::kDraining, StreamEnd::kDraining},
        std::pair{ErrorReason::kOverloaded, StreamEnd::kOverloaded},
        std::pair{ErrorReason::kStoreUnavailable, StreamEnd::kFailed}}) {
    const auto stream = Make();
    stream->End(MakeError(absl::StatusCode::kUnavailable, reason, "as asked"));
    EXPECT_EQ(registry_.ended(how), 0);
    stream->OnDone();
    EXPECT_EQ(registry_.ended(how), 1);
  }
  const auto left = Make();
  left->OnCancel();
  left->OnDone();
  EXPECT_EQ(registry_.ended(StreamEnd::kLeft), 1);
  const auto whole = Make();
  whole->LastIs(1);
  whole->Offer();
  whole->OnDone();
  EXPECT_EQ(registry_.ended(StreamEnd::kFinal), 1);
}

// Streams that were opened together neither end together nor come back together.
TEST_F(StreamReactorTest, AgesAndTimesToComeBackAreSpread) {
  std::vector<absl::Duration> ages;
  std::vector<absl::Duration> pauses;
  for (int n = 0; n < 1000; ++n) {
    ages.push_back(registry_.SpreadAge(absl::Minutes(30)));
    const absl::Status rotated = registry_.ComeBack(ErrorReason::kStreamRotated, "at its age");
    pauses.push_back(DetailOf(rotated).retry_after);
  }
  const auto [youngest, oldest] = std::minmax_element(ages.begin(), ages.end());
  EXPECT_THAT(*youngest, AllOf(Ge(absl::Minutes(27)), Lt(absl::Seconds(27 * 60 + 10))));
  EXPECT_THAT(*oldest, AllOf(Gt(absl::Seconds(33 * 60 - 10)), Le(absl::Minutes(33))));
  const auto [least, most] = std::minmax_element(pauses.begin(), pauses.end());
  EXPECT_THAT(*least, AllOf(Ge(absl::ZeroDuration()), Lt(absl::Milliseconds(100))));
  EXPECT_THAT(*most, AllOf(Gt(absl::Milliseconds(4900)), Le(absl::Seconds(5))));
}

TEST_F(StreamReactorTest, AHeartbeatComesAfterSilenceOnly) {
  const auto stream = Make();
  stream->Tick(clock_.Uptime() + kTimes.heartbeat - absl::Seconds(1));
  EXPECT_EQ(stream->heartbeats, 0);
  stream->Tick(clock_.Uptime() + kTimes.heartbeat);
  EXPECT_EQ(stream->heartbeats, 1);
  // The interval begins again with every message.
  clock_.Advance(kTimes.heartbeat);
  stream->CompleteWrite(true);
  stream->Tick(clock_.Uptime() + kTimes.heartbeat - absl::Seconds(1));
  EXPECT_EQ(stream->heartbeats, 1);
  stream->OnCancel();
  stream->OnDone();
}

TEST_F(StreamReactorTest, AnyOrderKeepsTheLaw) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const auto stream = Make();
    if (seed % 3 == 0) stream->LastIs(static_cast<int>(random() % 8) + 1);
    for (int step = 0; step < 40; ++step) {
      switch (random() % 12) {
        case 0:
          stream->OnCancel();
          break;
        case 1:
          stream->End(absl::UnavailableError("draining"));
          break;
        case 2:
          stream->Tick(clock_.Uptime() + absl::Seconds(random() % 4000));
          break;
        case 3:
        case 4:
        case 5:
        case 6:
          stream->CompleteWrite(random() % 10 != 0);
          break;
        default:
          stream->Offer();
      }
    }
    stream->OnCancel();
    stream->CompleteWrite(false);
    ASSERT_EQ(stream->breaches, 0) << seed;
    ASSERT_EQ(stream->finishes, 1) << seed;
    stream->OnDone();
  }
}

TEST_F(StreamReactorTest, AnyInterleavingKeepsTheLaw) {
  for (unsigned round = 0; round < 100; ++round) {
    const auto stream = Make();
    std::atomic<bool> over = false;
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) stream->Offer();
    });
    threads.emplace_back([&] {
      while (!over) {
        if (!stream->CompleteWrite(true)) std::this_thread::yield();
      }
    });
    threads.emplace_back([&] {
      for (unsigned i = 0; i < round; ++i) std::this_thread::yield();
      if (round % 2 == 0) {
        stream->OnCancel();
      } else {
        stream->End(absl::UnavailableError("draining"));
      }
    });
    threads[0].join();
    threads[2].join();
    const absl::Time limit = absl::Now() + absl::Seconds(10);
    while (stream->finishes == 0 && absl::Now() < limit) std::this_thread::yield();
    over = true;
    threads[1].join();
    ASSERT_EQ(stream->breaches, 0) << round;
    ASSERT_EQ(stream->finishes, 1) << round;
    stream->OnDone();
  }
}

}  // namespace
}  // namespace lumaedit
