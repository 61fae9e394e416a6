// Long polls: each transition once and in order, whatever happens to the polls.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/wire/client/cutting_proxy.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::ElementsAre;
using ::testing::Ge;

constexpr char kJob[] = "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10";
constexpr auto kPending = v1::Job::STATE_PENDING;
constexpr auto kHeld = v1::Job::STATE_HELD;
constexpr auto kProcessing = v1::Job::STATE_PROCESSING;
constexpr auto kSucceeded = v1::Job::STATE_SUCCEEDED;

class WaitTest : public ::testing::Test {
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
    options_.timeout = absl::Seconds(60);
    options_.on_interrupted = [this](const ClientError&, absl::Duration) { ++interruptions_; };
  }

  // A job with these states; a poll answers with at most `page` of them.
  void Script(std::vector<v1::Job::State> states, int page = 100) {
    gateway_.on_wait = [this, states, page](const v1::WaitJobRequest& request,
                                            v1::WaitJobResponse* response) {
      ++polls_;
      last_wait_seconds_ = request.wait().seconds();
      const int end =
          std::min<int>(static_cast<int>(states.size()), request.after_sequence() + page);
      *response->mutable_job() = MakeJob(static_cast<int>(states.size()), states.back());
      for (int n = request.after_sequence() + 1; n <= end; ++n) {
        *response->add_transitions() = MakeTransition(n, states[static_cast<std::size_t>(n) - 1]);
      }
      return grpc::Status::OK;
    };
  }

  Result<v1::Job> Wait(std::int32_t after = 0) {
    return client_->Wait(
        kJob, after,
        [this](const v1::Transition& transition) {
          delivered_.push_back(transition.sequence());
          return WatchStep::kGoOn;
        },
        options_);
  }

  ScriptedGateway gateway_;
  std::unique_ptr<Client> client_;
  WaitOptions options_;
  std::vector<int> delivered_;
  std::atomic<int> polls_ = 0;
  std::atomic<std::int64_t> last_wait_seconds_ = 0;
  int interruptions_ = 0;
};

TEST_F(WaitTest, PollsAgainUntilTheJobIsFinal) {
  Script({kPending, kProcessing, kSucceeded}, 1);
  const auto job = Wait();
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  EXPECT_EQ(job->state(), kSucceeded);
  EXPECT_THAT(delivered_, ElementsAre(1, 2, 3));
  EXPECT_EQ(polls_, 3);
  EXPECT_EQ(last_wait_seconds_, 30);
}

TEST_F(WaitTest, TheFirstPollLeavesTimeForTheFirstContact) {
  Script({kSucceeded});
  ASSERT_TRUE(Wait().ok());
  EXPECT_EQ(last_wait_seconds_, 2);
}

TEST_F(WaitTest, AFinalJobThatIsKnownEndsAtOnce) {
  Script({kPending, kSucceeded});
  const auto job = Wait(2);
  ASSERT_TRUE(job.ok());
  EXPECT_THAT(delivered_, ElementsAre());
}

TEST_F(WaitTest, ReturnsAtAHeldItHasDelivered) {
  Script({kPending, kHeld});
  auto job = Wait();
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->state(), kHeld);
  // Who knows the hold waits for what ends it.
  options_.timeout = absl::Milliseconds(100);
  job = Wait(2);
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.error().code, absl::StatusCode::kDeadlineExceeded);
  options_.return_at_held = false;
  EXPECT_EQ(Wait().error().code, absl::StatusCode::kDeadlineExceeded);
}

TEST_F(WaitTest, FailedPollsAreMadeAgain) {
  Script({kPending, kSucceeded}, 1);
  const auto good = gateway_.on_wait;
  std::atomic<int> asked = 0;
  gateway_.on_wait = [&](const v1::WaitJobRequest& request, v1::WaitJobResponse* response) {
    if (++asked % 2 == 1) return Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 0.01);
    return good(request, response);
  };
  const auto job = Wait();
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(1, 2));
  EXPECT_EQ(interruptions_, 2);
}

TEST_F(WaitTest, OtherErrorsEndIt) {
  gateway_.on_wait = [](const v1::WaitJobRequest&, v1::WaitJobResponse*) {
    return Failure(grpc::StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
  };
  EXPECT_EQ(Wait().error().reason, v1::ERROR_REASON_JOB_NOT_FOUND);
}

TEST_F(WaitTest, LosesNothingWhileConnectionsAreCut) {
  CuttingProxy proxy(gateway_.port());
  proxy.CutAfterBytes(150, 2000);
  Connect(proxy.port());
  std::vector<v1::Job::State> states(300, kProcessing);
  states.back() = kSucceeded;
  Script(states, 3);
  const auto job = Wait();
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  ASSERT_EQ(delivered_.size(), states.size());
  for (std::size_t at = 0; at < delivered_.size(); ++at) {
    EXPECT_EQ(delivered_[at], static_cast<int>(at) + 1);
  }
  EXPECT_THAT(interruptions_, Ge(5));
}

TEST_F(WaitTest, AStopIsPrompt) {
  std::promise<void> asked;
  std::promise<void> release;
  gateway_.on_wait = [&](const v1::WaitJobRequest&, v1::WaitJobResponse*) {
    asked.set_value();
    release.get_future().wait();
    return grpc::Status::OK;
  };
  std::stop_source stop;
  options_.stop = stop.get_token();
  auto ended = std::async(std::launch::async, [this] { return Wait(); });
  asked.get_future().wait();
  stop.request_stop();
  EXPECT_EQ(ended.get().error().code, absl::StatusCode::kCancelled);
  release.set_value();
}

}  // namespace
}  // namespace lumaedit::client
