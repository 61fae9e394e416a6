// The watch against every way a stream can break: nothing is lost, nothing comes twice.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <numeric>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "client/deadline.h"
#include "tests/wire/client/cutting_proxy.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::Ge;
using ::testing::HasSubstr;

constexpr char kJob[] = "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10";
constexpr auto kPending = v1::Job::STATE_PENDING;
constexpr auto kQueued = v1::Job::STATE_QUEUED;
constexpr auto kProcessing = v1::Job::STATE_PROCESSING;
constexpr auto kSucceeded = v1::Job::STATE_SUCCEEDED;

std::vector<int> Numbers(int last) {
  std::vector<int> numbers(last);
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

class WatchTest : public ::testing::Test {
 protected:
  void SetUp() override { Connect(gateway_.port()); }

  void Connect(int port) {
    ClientOptions options;
    options.connection.address = "127.0.0.1:" + std::to_string(port);
    options.connection.connect_timeout = absl::Seconds(5);
    auto client = Client::Create(options);
    ASSERT_TRUE(client.ok());
    client_ = std::move(*client);
    options_.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    // A bound for the test, should the watch never end.
    options_.timeout = absl::Seconds(60);
    options_.on_interrupted = [this](const ClientError& error, absl::Duration wait) {
      interruptions_.push_back(error);
      waits_.push_back(wait);
    };
  }

  Result<WatchEnd> Watch(std::int32_t after = 0) {
    return client_->Watch(
        kJob, after,
        [this](const v1::Transition& transition) {
          delivered_.push_back(transition.sequence());
          return WatchStep::kGoOn;
        },
        options_);
  }

  std::vector<int> Resumes() const {
    std::vector<int> after;
    for (const auto& watch : gateway_.watches()) after.push_back(watch.after_sequence());
    return after;
  }

  ScriptedGateway gateway_;
  std::unique_ptr<Client> client_;
  WatchOptions options_;
  std::vector<int> delivered_;
  std::vector<ClientError> interruptions_;
  std::vector<absl::Duration> waits_;
};

TEST_F(WatchTest, DeliversAllAndEndsAfterTheFinalOne) {
  gateway_.AddWatch({Send(1, kPending), CaughtUp(MakeJob(1, kPending)), Heartbeat(),
                     Send(2, kProcessing), Send(3, kSucceeded), End()});
  int caught_up = 0;
  int heartbeats = 0;
  options_.on_caught_up = [&](const v1::Job&) {
    ++caught_up;
    return WatchStep::kGoOn;
  };
  options_.on_heartbeat = [&](const v1::Heartbeat&) { ++heartbeats; };
  const auto end = Watch();
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_EQ(end->last_sequence, 3);
  EXPECT_EQ(end->state, kSucceeded);
  EXPECT_EQ(end->resumes, 0);
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3));
  EXPECT_EQ(caught_up, 1);
  EXPECT_EQ(heartbeats, 1);
}

TEST_F(WatchTest, AsksForTheHeartbeatItWasGiven) {
  gateway_.SetHistory(1);
  options_.heartbeat_interval = absl::Milliseconds(7500);
  ASSERT_TRUE(Watch().ok());
  const auto interval = gateway_.watches().at(0).heartbeat_interval();
  EXPECT_EQ(interval.seconds(), 7);
  EXPECT_EQ(interval.nanos(), 500000000);
}

TEST_F(WatchTest, ResumesWhenTheGatewayDrainsAndWaitsAsLongAsItAsks) {
  gateway_.AddWatch({Send(1, kPending), Send(2, kQueued),
                     End(Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 0.3))});
  gateway_.SetHistory(4);
  const auto end = Watch();
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->resumes, 1);
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Resumes(), ElementsAre(0, 2));
  ASSERT_EQ(interruptions_.size(), 1u);
  EXPECT_EQ(interruptions_[0].reason, v1::ERROR_REASON_DRAINING);
  EXPECT_THAT(waits_[0], Ge(absl::Milliseconds(300)));
}

TEST_F(WatchTest, ResumesAfterEveryErrorThatIsNotPermanent) {
  const grpc::StatusCode codes[] = {grpc::StatusCode::UNAVAILABLE,
                                    grpc::StatusCode::INTERNAL,
                                    grpc::StatusCode::UNKNOWN,
                                    grpc::StatusCode::ABORTED,
                                    grpc::StatusCode::RESOURCE_EXHAUSTED,
                                    grpc::StatusCode::DEADLINE_EXCEEDED,
                                    grpc::StatusCode::CANCELLED,
                                    grpc::StatusCode::DATA_LOSS,
                                    grpc::StatusCode::FAILED_PRECONDITION};
  int sequence = 0;
  for (const grpc::StatusCode code : codes) {
    gateway_.AddWatch({Send(++sequence, kProcessing), End(grpc::Status(code, "scripted"))});
  }
  gateway_.SetHistory(sequence + 1);
  const auto end = Watch();
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAreArray(Numbers(sequence + 1)));
  EXPECT_EQ(end->resumes, sequence);
}

TEST_F(WatchTest, ResumesAfterAReset) {
  gateway_.AddWatch({Send(1, kPending), Reset()});
  gateway_.SetHistory(2);
  ASSERT_TRUE(Watch().ok());
  EXPECT_THAT(delivered_, ElementsAre(1, 2));
}

TEST_F(WatchTest, DropsRepeats) {
  gateway_.AddWatch({Send(1, kPending), Send(1, kPending), Send(2, kQueued), Send(1, kPending),
                     Send(2, kQueued), Send(3, kSucceeded), End()});
  const auto end = Watch();
  ASSERT_TRUE(end.ok());
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3));
  EXPECT_EQ(end->resumes, 0);
}

TEST_F(WatchTest, TreatsAGapAsABrokenStream) {
  gateway_.AddWatch({Send(1, kPending), Send(3, kProcessing), Send(4, kSucceeded), End()});
  gateway_.SetHistory(4);
  const auto end = Watch();
  ASSERT_TRUE(end.ok());
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Resumes(), ElementsAre(0, 1));
}

TEST_F(WatchTest, DoesNotTakeOkForTheEndWithoutTheFinalTransition) {
  gateway_.AddWatch({Send(1, kPending), End()});
  gateway_.SetHistory(2);
  const auto end = Watch();
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->resumes, 1);
  EXPECT_THAT(delivered_, ElementsAre(1, 2));
}

TEST_F(WatchTest, EndsAtOnceBehindTheLastTransitionOfAFinalJob) {
  gateway_.AddWatch({CaughtUp(MakeJob(3, v1::Job::STATE_FAILED)), End()});
  const auto end = Watch(3);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->state, v1::Job::STATE_FAILED);
  EXPECT_EQ(end->last_sequence, 3);
  EXPECT_THAT(delivered_, ElementsAre());
}

TEST_F(WatchTest, PermanentErrorsEndIt) {
  const grpc::StatusCode codes[] = {
      grpc::StatusCode::NOT_FOUND,         grpc::StatusCode::UNAUTHENTICATED,
      grpc::StatusCode::PERMISSION_DENIED, grpc::StatusCode::INVALID_ARGUMENT,
      grpc::StatusCode::OUT_OF_RANGE,      grpc::StatusCode::UNIMPLEMENTED};
  for (const grpc::StatusCode code : codes) {
    gateway_.AddWatch({Send(1, kPending), End(grpc::Status(code, "scripted"))});
    const auto end = Watch();
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(static_cast<int>(end.error().code), static_cast<int>(code));
  }
  EXPECT_TRUE(interruptions_.empty());
}

TEST_F(WatchTest, TellsTheNewestSequenceWhenAskedBeyondIt) {
  ClientError details;
  details.message = "the newest is 4";
  details.reason_name = "SEQUENCE_OUT_OF_RANGE";
  details.metadata["newest_sequence"] = "4";
  gateway_.AddWatch({End(Failure(grpc::StatusCode::OUT_OF_RANGE, details))});
  const auto end = Watch(9);
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().reason, v1::ERROR_REASON_SEQUENCE_OUT_OF_RANGE);
  EXPECT_EQ(end.error().metadata.at("newest_sequence"), "4");
}

TEST_F(WatchTest, ASilentStreamIsDead) {
  options_.heartbeat_interval = absl::Milliseconds(400);  // dead after 1.2 s
  gateway_.AddWatch({Send(1, kPending), CaughtUp(MakeJob(1, kPending)), Silence()});
  gateway_.SetHistory(3);
  const auto end = Watch();
  ASSERT_TRUE(end.ok());
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3));
  ASSERT_EQ(interruptions_.size(), 1u);
  EXPECT_THAT(interruptions_[0].message, HasSubstr("silent"));
}

TEST_F(WatchTest, HeartbeatsKeepAStreamAlive) {
  options_.silence_limit = absl::Seconds(1);
  std::vector<Step> script = {Send(1, kPending), CaughtUp(MakeJob(1, kPending))};
  for (int beat = 0; beat < 8; ++beat) {
    script.push_back(AwaitGate("beat " + std::to_string(beat)));
    script.push_back(Heartbeat());
  }
  script.push_back(Send(2, kSucceeded));
  gateway_.AddWatch(std::move(script));
  int beats = 0;
  // Each beat lets the next come 250 ms later: 2 s in all, twice the limit.
  std::stop_source stop;
  std::jthread metronome([&](std::stop_token token) {
    for (int beat = 0; beat < 8 && WaitFor(absl::Milliseconds(250), token); ++beat) {
      gateway_.OpenGate("beat " + std::to_string(beat));
    }
  });
  options_.on_heartbeat = [&](const v1::Heartbeat&) { ++beats; };
  const auto end = Watch();
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(beats, 8);
  EXPECT_EQ(end->resumes, 0);
}

TEST_F(WatchTest, ADeafConnectionIsReplaced) {
  CuttingProxy proxy(gateway_.port());
  Connect(proxy.port());
  options_.silence_limit = absl::Seconds(1);
  gateway_.AddWatch({Send(1, kPending), CaughtUp(MakeJob(1, kPending)), Silence()});
  gateway_.SetHistory(3);
  int before = 0;
  options_.on_caught_up = [&](const v1::Job&) {
    before = proxy.accepted();
    proxy.Deafen();
    return WatchStep::kGoOn;
  };
  const auto end = Watch();
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3));
  EXPECT_EQ(proxy.accepted(), before + 1);
}

TEST_F(WatchTest, LosesAndRepeatsNothingWhileConnectionsAreCut) {
  CuttingProxy proxy(gateway_.port());
  proxy.CutAfterBytes(150, 4000);
  Connect(proxy.port());
  constexpr int kTransitions = 3000;
  gateway_.SetHistory(kTransitions);
  const auto end = Watch();
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAreArray(Numbers(kTransitions)));
  EXPECT_THAT(end->resumes, Ge(10));
}

TEST_F(WatchTest, SurvivesARestartOfTheGateway) {
  auto first = std::make_unique<ScriptedGateway>();
  const std::string address = first->address();
  Connect(first->port());
  first->AddWatch({Send(1, kPending), CaughtUp(MakeJob(1, kPending)), Silence()});
  auto ended = std::async(std::launch::async, [this] { return Watch(); });
  ASSERT_TRUE(first->AwaitWatches(1));
  first.reset();
  ScriptedGateway second(nullptr, address);
  ASSERT_NE(second.port(), 0);
  second.SetHistory(3);
  const auto end = ended.get();
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3));
}

TEST_F(WatchTest, ACancelIsPrompt) {
  std::stop_source stop;
  options_.stop = stop.get_token();
  gateway_.AddWatch({Send(1, kPending), Silence()});
  auto ended = std::async(std::launch::async, [this] { return Watch(); });
  ASSERT_TRUE(gateway_.AwaitWatches(1));
  const auto asked = std::chrono::steady_clock::now();
  stop.request_stop();
  const auto end = ended.get();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, absl::StatusCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(2));
}

TEST_F(WatchTest, ACancelEndsABackoffToo) {
  std::stop_source stop;
  options_.stop = stop.get_token();
  gateway_.AddWatch(
      {Send(1, kPending), End(Failure(grpc::StatusCode::UNAVAILABLE, "OVERLOADED", 60))});
  std::promise<void> waiting;
  options_.on_interrupted = [&](const ClientError&, absl::Duration) { waiting.set_value(); };
  auto ended = std::async(std::launch::async, [this] { return Watch(); });
  waiting.get_future().wait();
  const auto asked = std::chrono::steady_clock::now();
  stop.request_stop();
  EXPECT_EQ(ended.get().error().code, absl::StatusCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(2));
}

TEST_F(WatchTest, ItsTimeLimitEndsIt) {
  options_.timeout = absl::Milliseconds(200);
  gateway_.AddWatch({Send(1, kPending), Silence()});
  const auto end = Watch();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, absl::StatusCode::kDeadlineExceeded);
}

TEST_F(WatchTest, GivesUpAfterTheLongestOutage) {
  options_.max_outage = absl::Seconds(1);
  for (int n = 0; n < 1000; ++n) {
    gateway_.AddWatch({End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"))});
  }
  const auto end = Watch();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, absl::StatusCode::kUnavailable);
  EXPECT_THAT(interruptions_.size(), Ge(2u));
}

TEST_F(WatchTest, AQuietStreamIsNoOutage) {
  options_.max_outage = absl::Seconds(2);
  gateway_.AddWatch({Send(1, kPending), AwaitGate("quiet"), Send(2, kSucceeded), End()});
  auto watching = std::async(std::launch::async, [this] { return Watch(); });
  EXPECT_EQ(watching.wait_for(std::chrono::milliseconds(2500)), std::future_status::timeout);
  gateway_.OpenGate("quiet");
  const auto end = watching.get();
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(1, 2));
  EXPECT_EQ(gateway_.watches().size(), 1u);
}

TEST_F(WatchTest, AnOutageBeginsWhenTheStreamBreaks) {
  options_.max_outage = absl::Seconds(2);
  gateway_.AddWatch({Send(1, kPending), AwaitGate("quiet"),
                     End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "a proxy fell"))});
  gateway_.SetHistory(2);
  auto watching = std::async(std::launch::async, [this] { return Watch(); });
  EXPECT_EQ(watching.wait_for(std::chrono::milliseconds(2500)), std::future_status::timeout);
  gateway_.OpenGate("quiet");
  const auto end = watching.get();
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(1, 2));
}

TEST_F(WatchTest, TheCallbackCanStopIt) {
  gateway_.AddWatch({Send(1, kPending), Send(2, v1::Job::STATE_HELD), Silence()});
  const auto end = client_->Watch(
      kJob, 0,
      [](const v1::Transition& transition) {
        return transition.state() == v1::Job::STATE_HELD ? WatchStep::kStop : WatchStep::kGoOn;
      },
      options_);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->state, v1::Job::STATE_HELD);
  EXPECT_EQ(end->last_sequence, 2);
}

}  // namespace
}  // namespace lumaedit::client
