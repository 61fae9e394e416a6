// WatchJob on the wire (protocol.md section 6).
#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

GatewayOptions Quick() {
  GatewayOptions options;
  options.rpc.tick = absl::Milliseconds(20);
  return options;
}

class Watch : public ::testing::Test {
 protected:
  void SetUp() override { Use(Quick()); }

  void Use(GatewayOptions options) {
    gateway_.reset();
    gateway_ = std::make_unique<Gateway>(std::move(options));
    ASSERT_TRUE(gateway_->started().ok()) << gateway_->started();
    stub_ = gateway_->Stub();
  }

  void Succeed(const std::string& id) {
    gateway_->Move(id, JobState::kSubmitting);
    gateway_->Move(id, JobState::kQueued);
    gateway_->Move(id, JobState::kProcessing);
    gateway_->Move(id, JobState::kSucceeded);
  }

  bool NoStreamLeft() {
    return Eventually([&] {
      return gateway_->service().open_streams() == 0 && gateway_->hub().watcher_count() == 0;
    });
  }

  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
};

TEST_F(Watch, ReplaysAFinalJobThenCatchesUpThenEndsOk) {
  const std::string id = gateway_->SubmitOne();
  Succeed(id);
  const Watched watched = WatchToEnd(*stub_, id);
  EXPECT_THAT(watched.sequences, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(watched.caught_up_at, 5);
  EXPECT_TRUE(watched.status.ok()) << watched.status.error_message();
  const v1::Job& job = watched.messages.back().caught_up().job();
  EXPECT_EQ(job.state(), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(job.sequence(), 5);
  EXPECT_TRUE(NoStreamLeft());
}

TEST_F(Watch, TellsEachTransitionAsItHappensAndEndsOkAfterTheFinalOne) {
  const std::string id = gateway_->SubmitOne();
  const std::vector<JobState> script = {JobState::kSubmitting, JobState::kQueued,
                                        JobState::kProcessing, JobState::kSucceeded};
  // Each step waits until the one before was told.
  std::size_t step = 0;
  const Watched watched = WatchToEnd(*stub_, id, 0, [&](const v1::WatchJobResponse& message) {
    const bool told = message.has_caught_up() ||
                      (message.has_transition() && message.transition().sequence() > 1);
    if (told && step < script.size()) gateway_->Move(id, script[step++]);
  });
  EXPECT_THAT(watched.sequences, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(watched.caught_up_at, 1);
  EXPECT_TRUE(watched.status.ok());
  // Nobody needs a GetJob after the final one.
  const v1::Transition& last = watched.messages.back().transition();
  EXPECT_EQ(last.outcome().video_url(), "https://storage.example.test/v.mp4");
  EXPECT_EQ(last.charge().state(), v1::Charge::STATE_INCURRED);
  EXPECT_EQ(last.previous_state(), v1::Job::STATE_PROCESSING);
}

TEST_F(Watch, ResumesAfterAnySequence) {
  const std::string id = gateway_->SubmitOne();
  Succeed(id);
  for (int after = 0; after <= 5; ++after) {
    const Watched watched = WatchToEnd(*stub_, id, after);
    std::vector<int> expected;
    for (int i = after + 1; i <= 5; ++i) expected.push_back(i);
    EXPECT_EQ(watched.sequences, expected) << after;
    EXPECT_EQ(watched.caught_up_at, 5 - after) << after;
    EXPECT_TRUE(watched.status.ok()) << after;
  }
}

TEST_F(Watch, BeyondTheNewestIsOutOfRange) {
  const std::string id = gateway_->SubmitOne();
  const Watched watched = WatchToEnd(*stub_, id, 2);
  const Failure failure = FailureOf(watched.status);
  EXPECT_EQ(failure.code, grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(failure.reason, "SEQUENCE_OUT_OF_RANGE");
  EXPECT_EQ(failure.metadata.at("newest_sequence"), "1");
  EXPECT_THAT(watched.messages, IsEmpty());
  EXPECT_TRUE(NoStreamLeft());
}

TEST_F(Watch, BeatsWhenNothingHappensAndSaysWhenItPolls) {
  GatewayOptions options = Quick();
  options.rpc.usual_heartbeat = absl::Milliseconds(60);
  Use(options);
  const std::string id = gateway_->SubmitOne();
  LiveInfo live;
  live.last_poll_time = absl::FromUnixSeconds(100);
  live.next_poll_time = absl::FromUnixSeconds(107);
  live.stalled = true;
  gateway_->board().Set(id, live);
  int beats = 0;
  const Watched watched = WatchToEnd(*stub_, id, 0, [&](const v1::WatchJobResponse& message) {
    if (!message.has_heartbeat()) return;
    EXPECT_EQ(message.heartbeat().last_poll_time().seconds(), 100);
    EXPECT_EQ(message.heartbeat().next_poll_time().seconds(), 107);
    EXPECT_TRUE(message.heartbeat().stalled());
    if (++beats == 3) Succeed(id);
  });
  EXPECT_GE(watched.heartbeats, 3);
  EXPECT_THAT(watched.sequences, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_TRUE(watched.status.ok());
}

TEST_F(Watch, ADrainEndsStreamsWithDrainingAndATimeToComeBack) {
  const std::string id = gateway_->SubmitOne();
  bool drained = false;
  const Watched watched = WatchToEnd(*stub_, id, 0, [&](const v1::WatchJobResponse& message) {
    if (!message.has_caught_up() || drained) return;
    drained = true;
    gateway_->server().Drain();
  });
  const Failure failure = FailureOf(watched.status);
  EXPECT_EQ(failure.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.reason, "DRAINING");
  ASSERT_TRUE(failure.retry_after.has_value());
  EXPECT_LE(*failure.retry_after, absl::Seconds(5));
  EXPECT_TRUE(NoStreamLeft());
  // And new ones are refused the same way.
  EXPECT_EQ(FailureOf(WatchToEnd(*stub_, id).status).reason, "DRAINING");
}

TEST_F(Watch, AStreamIsRotatedAtItsAge) {
  GatewayOptions options = Quick();
  options.rpc.stream_age = absl::Milliseconds(100);
  Use(options);
  const std::string id = gateway_->SubmitOne();
  const Watched watched = WatchToEnd(*stub_, id);
  EXPECT_THAT(watched.sequences, ElementsAre(1));
  const Failure failure = FailureOf(watched.status);
  EXPECT_EQ(failure.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.reason, "STREAM_ROTATED");
  EXPECT_TRUE(failure.retry_after.has_value());
  // Resumed with the last sequence, nothing is lost and nothing repeated.
  std::thread mover([&] { Succeed(id); });
  std::vector<int> seen = {1};
  grpc::Status status = watched.status;
  while (!status.ok()) {
    const Watched more = WatchToEnd(*stub_, id, seen.back());
    seen.insert(seen.end(), more.sequences.begin(), more.sequences.end());
    status = more.status;
    ASSERT_TRUE(status.ok() || FailureOf(status).reason == "STREAM_ROTATED");
  }
  mover.join();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(Watch, ACancelInFlightLeavesNothingBehind) {
  const std::string id = gateway_->SubmitOne();
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job_id(id);
    auto reader = stub_->WatchJob(&context, request);
    v1::WatchJobResponse message;
    // From before the first message to after all of them.
    for (int reads = 0; reads < i % 3; ++reads) ASSERT_TRUE(reader->Read(&message));
    context.TryCancel();
    while (reader->Read(&message)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(NoStreamLeft());
}

TEST_F(Watch, AConnectionHasALimit) {
  GatewayOptions options = Quick();
  options.rpc.watches_per_connection = 2;
  Use(options);
  const std::string id = gateway_->SubmitOne();
  v1::WatchJobRequest request;
  request.set_job_id(id);
  v1::WatchJobResponse message;
  grpc::ClientContext first_context, second_context;
  auto first = stub_->WatchJob(&first_context, request);
  auto second = stub_->WatchJob(&second_context, request);
  ASSERT_TRUE(first->Read(&message));
  ASSERT_TRUE(second->Read(&message));
  const Failure failure = FailureOf(WatchToEnd(*stub_, id).status);
  EXPECT_EQ(failure.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(failure.reason, "TOO_MANY_WATCHES");
  // Another connection has its own.
  auto other = gateway_->Stub();
  grpc::ClientContext other_context;
  auto third = other->WatchJob(&other_context, request);
  EXPECT_TRUE(third->Read(&message));
  for (auto* context : {&first_context, &second_context, &other_context}) context->TryCancel();
  for (auto* reader : {&first, &second, &third}) {
    while ((*reader)->Read(&message)) {
    }
    EXPECT_EQ((*reader)->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(NoStreamLeft());
  // And what was left can be taken again.
  Succeed(id);
  EXPECT_TRUE(WatchToEnd(*stub_, id).status.ok());
}

TEST_F(Watch, TwoWatchersShareTheSameBytes) {
  const std::string id = gateway_->SubmitOne();
  Succeed(id);
  const Watched one = WatchToEnd(*stub_, id);
  const Watched two = WatchToEnd(*stub_, id);
  ASSERT_EQ(one.messages.size(), two.messages.size());
  for (std::size_t i = 0; i < one.messages.size(); ++i) {
    EXPECT_EQ(one.messages[i].SerializeAsString(), two.messages[i].SerializeAsString());
  }
  // One encoding a transition, in the feed, for all who read it.
  struct Silent final : Watcher {
    void Wake() override {}
  };
  const auto watcher = std::make_shared<Silent>();
  auto feed = gateway_->hub().Open("local", id, watcher);
  ASSERT_TRUE(feed.ok());
  EXPECT_EQ((*feed)->Next(0)->encoded.get(), (*feed)->Next(0)->encoded.get());
  gateway_->hub().Close(**feed, watcher.get());
}

TEST_F(Watch, AReaderThatNeverReadsIsCut) {
  GatewayOptions options = Quick();
  options.rpc.stalled_write = absl::Milliseconds(300);
  // Beats fill the transport's buffers until a write no longer drains.
  options.rpc.usual_heartbeat = absl::ZeroDuration();
  options.rpc.tick = absl::Milliseconds(1);
  Use(options);
  const std::string id = gateway_->SubmitOne();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  auto stub = v1::EditService::NewStub(grpc::CreateCustomChannel(
      gateway_->address(), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_job_id(id);
  auto reader = stub->WatchJob(&context, request);
  EXPECT_TRUE(
      Eventually([&] { return gateway_->log().Count("watch_stalled") == 1; }, absl::Seconds(60)));
  EXPECT_TRUE(NoStreamLeft());
  context.TryCancel();
  v1::WatchJobResponse message;
  while (reader->Read(&message)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(Watch, AShutdownWithOpenStreamsEndsWithinItsGrace) {
  const std::string id = gateway_->SubmitOne();
  auto watching = std::async(std::launch::async, [&] { return WatchToEnd(*stub_, id); });
  ASSERT_TRUE(Eventually([&] { return gateway_->hub().watcher_count() == 1; }));
  gateway_->StopServer(absl::Milliseconds(100));
  EXPECT_FALSE(watching.get().status.ok());
  EXPECT_EQ(gateway_->service().open_streams(), 0u);
}

}  // namespace
}  // namespace lumaedit
