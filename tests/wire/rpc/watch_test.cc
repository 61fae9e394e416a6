// WatchJob on the wire (protocol.md section 6).
#include <gmock/gmock.h>

#include <atomic>
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

// Stamps what it encodes, each time otherwise.
class StampingEncoder final : public Encoder {
 public:
  std::shared_ptr<const void> Encode(const std::string& job_id,
                                     const Transition& transition) override {
    Transition stamped = transition;
    stamped.actor = std::to_string(++encodings_);
    return encoder_.Encode(job_id, stamped);
  }
  std::size_t ByteSize(const std::shared_ptr<const void>& encoded) const override {
    return encoder_.ByteSize(encoded);
  }
  int encodings() const { return encodings_; }

 private:
  TransitionEncoder encoder_;
  std::atomic<int> encodings_ = 0;
};

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

  StampingEncoder encoder_;  // where a test asks for it
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
  options.rpc.stream_age = absl::Milliseconds(500);
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

TEST_F(Watch, AHeartbeatIsFiveToSixtySeconds) {
  const std::string id = gateway_->SubmitOne();
  Succeed(id);
  const auto with = [&](int seconds) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job_id(id);
    request.mutable_heartbeat_interval()->set_seconds(seconds);
    auto reader = stub_->WatchJob(&context, request);
    v1::WatchJobResponse message;
    while (reader->Read(&message)) {
    }
    return FailureOf(reader->Finish());
  };
  for (const int seconds : {-5, 0, 1, 4, 61, 3600}) {
    const Failure failure = with(seconds);
    EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT) << seconds;
    EXPECT_THAT(failure.fields, ElementsAre("heartbeat_interval")) << seconds;
  }
  for (const int seconds : {5, 60}) EXPECT_EQ(with(seconds).code, grpc::StatusCode::OK) << seconds;
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

TEST_F(Watch, ACallerHasALimitOverAllItsConnections) {
  GatewayOptions options = Quick();
  options.rpc.watches_per_caller = 2;
  Use(options);
  const std::string id = gateway_->SubmitOne();
  v1::WatchJobRequest request;
  request.set_job_id(id);
  v1::WatchJobResponse message;
  grpc::ClientContext first_context, second_context;
  auto first = stub_->WatchJob(&first_context, request);
  const auto other = gateway_->Stub();
  auto second = other->WatchJob(&second_context, request);
  ASSERT_TRUE(first->Read(&message));
  ASSERT_TRUE(second->Read(&message));
  const Failure failure = FailureOf(WatchToEnd(*gateway_->Stub(), id).status);
  EXPECT_EQ(failure.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(failure.reason, "TOO_MANY_WATCHES");
  EXPECT_EQ(failure.message, "this caller has 2 watches, as many as one may have; end some");
  first_context.TryCancel();
  second_context.TryCancel();
  for (auto* reader : {&first, &second}) {
    while ((*reader)->Read(&message)) {
    }
    EXPECT_EQ((*reader)->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(NoStreamLeft());
  // And what was left can be taken again.
  Succeed(id);
  EXPECT_TRUE(WatchToEnd(*stub_, id).status.ok());
}

TEST_F(Watch, BeyondTheLimitOverAllConnectionsItIsOverloaded) {
  GatewayOptions options = Quick();
  options.rpc.most_watches = 2;
  Use(options);
  const std::string id = gateway_->SubmitOne();
  v1::WatchJobRequest of_job;
  of_job.set_job_id(id);
  grpc::ClientContext job_context, jobs_context;
  auto job = stub_->WatchJob(&job_context, of_job);
  v1::WatchJobResponse message;
  ASSERT_TRUE(job->Read(&message));
  auto jobs = gateway_->Stub()->WatchJobs(&jobs_context, {});
  v1::WatchJobsResponse of_jobs;
  ASSERT_TRUE(jobs->Read(&of_jobs));

  const auto other = gateway_->Stub();
  const auto expect_overloaded = [](const grpc::Status& status) {
    const Failure failure = FailureOf(status);
    EXPECT_EQ(failure.code, grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(failure.reason, "OVERLOADED");
    ASSERT_TRUE(failure.retry_after.has_value());
    EXPECT_LE(*failure.retry_after, absl::Seconds(5));
  };
  expect_overloaded(WatchToEnd(*other, id).status);
  {
    grpc::ClientContext context;
    auto refused = other->WatchJobs(&context, {});
    EXPECT_FALSE(refused->Read(&of_jobs));
    expect_overloaded(refused->Finish());
  }
  v1::WaitJobRequest wait;
  wait.set_job_id(id);
  v1::WaitJobResponse waited;
  {
    grpc::ClientContext context;
    expect_overloaded(other->WaitJob(&context, wait, &waited));
  }
  // One leaves, and there is room for one.
  jobs_context.TryCancel();
  while (jobs->Read(&of_jobs)) {
  }
  EXPECT_EQ(jobs->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ASSERT_TRUE(Eventually([&] { return gateway_->service().open_streams() == 1; }));
  grpc::ClientContext context;
  EXPECT_TRUE(other->WaitJob(&context, wait, &waited).ok());
  Succeed(id);
  while (job->Read(&message)) {
  }
  EXPECT_TRUE(job->Finish().ok());
  EXPECT_TRUE(NoStreamLeft());
}

TEST_F(Watch, EachTransitionIsEncodedOnceForAllItsWatchers) {
  GatewayOptions options = Quick();
  options.encoder = &encoder_;
  Use(std::move(options));
  const std::string id = gateway_->SubmitOne();
  v1::WatchJobRequest request;
  request.set_job_id(id);
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchJobResponse>> reader;
    std::vector<std::string> stamps;
  };
  v1::WatchJobResponse message;
  Stream live[2];
  for (Stream& stream : live) {
    stream.reader = stub_->WatchJob(&stream.context, request);
    while (stream.reader->Read(&message) && !message.has_caught_up()) {
      stream.stamps.push_back(message.transition().actor());
    }
  }
  grpc::ClientContext context;
  auto jobs = stub_->WatchJobs(&context, {});
  v1::WatchJobsResponse of_jobs;
  ASSERT_TRUE(jobs->Read(&of_jobs));
  ASSERT_TRUE(of_jobs.has_caught_up());

  Succeed(id);
  const std::vector<std::string> all = {"1", "2", "3", "4", "5"};
  for (Stream& stream : live) {
    while (stream.reader->Read(&message)) stream.stamps.push_back(message.transition().actor());
    EXPECT_TRUE(stream.reader->Finish().ok());
    EXPECT_EQ(stream.stamps, all);
  }
  std::vector<std::string> stamps = {"1"};
  while (stamps.size() < all.size() && jobs->Read(&of_jobs)) {
    stamps.push_back(of_jobs.transition().actor());
  }
  EXPECT_EQ(stamps, all);
  context.TryCancel();
  while (jobs->Read(&of_jobs)) {
  }
  EXPECT_EQ(jobs->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // Whoever comes later reads the same bytes.
  stamps.clear();
  WatchToEnd(*stub_, id, 0, [&](const v1::WatchJobResponse& told) {
    if (told.has_transition()) stamps.push_back(told.transition().actor());
  });
  EXPECT_EQ(stamps, all);
  EXPECT_EQ(encoder_.encodings(), 5);
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
