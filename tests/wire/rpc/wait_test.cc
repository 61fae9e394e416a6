// WaitJob on the wire (protocol.md section 6).
#include <gmock/gmock.h>

#include <future>

#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Waited {
  grpc::Status status;
  v1::WaitJobResponse response;
  std::vector<int> sequences() const {
    std::vector<int> numbers;
    for (const auto& transition : response.transitions()) numbers.push_back(transition.sequence());
    return numbers;
  }
};

class Wait : public ::testing::Test {
 protected:
  void SetUp() override {
    GatewayOptions options;
    options.rpc.tick = absl::Milliseconds(20);
    gateway_ = std::make_unique<Gateway>(std::move(options));
    ASSERT_TRUE(gateway_->started().ok()) << gateway_->started();
    stub_ = gateway_->Stub();
  }

  Waited Call(const std::string& id, int after, bool until_terminal = false,
              absl::Duration wait = absl::Seconds(50)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    v1::WaitJobRequest request;
    request.set_job_id(id);
    request.set_after_sequence(after);
    request.set_until_terminal(until_terminal);
    request.mutable_wait()->set_seconds(absl::ToInt64Seconds(wait));
    request.mutable_wait()->set_nanos(static_cast<int>(
        absl::ToInt64Nanoseconds(wait - absl::Seconds(absl::ToInt64Seconds(wait)))));
    Waited waited;
    waited.status = stub_->WaitJob(&context, request, &waited.response);
    return waited;
  }
  std::future<Waited> Begin(const std::string& id, int after, bool until_terminal = false) {
    auto waiting =
        std::async(std::launch::async, [=, this] { return Call(id, after, until_terminal); });
    EXPECT_TRUE(Eventually([&] { return gateway_->hub().watcher_count() == 1; }));
    return waiting;
  }
  bool NothingLeft() {
    return Eventually([&] {
      return gateway_->service().open_streams() == 0 && gateway_->hub().watcher_count() == 0;
    });
  }

  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
};

TEST_F(Wait, AnswersAtOnceWhatHasHappenedAlready) {
  const std::string id = gateway_->SubmitOne();
  gateway_->Move(id, JobState::kSubmitting);
  const Waited waited = Call(id, 0);
  ASSERT_TRUE(waited.status.ok()) << waited.status.error_message();
  EXPECT_THAT(waited.sequences(), ElementsAre(1, 2));
  EXPECT_EQ(waited.response.job().sequence(), 2);
  EXPECT_TRUE(NothingLeft());
}

TEST_F(Wait, AnswersAtTheNextTransition) {
  const std::string id = gateway_->SubmitOne();
  auto waiting = Begin(id, 1);
  gateway_->Move(id, JobState::kSubmitting);
  const Waited waited = waiting.get();
  ASSERT_TRUE(waited.status.ok());
  EXPECT_THAT(waited.sequences(), ElementsAre(2));
  EXPECT_EQ(waited.response.job().state(), v1::Job::STATE_SUBMITTING);
}

TEST_F(Wait, UntilTerminalPassesOverTheRest) {
  const std::string id = gateway_->SubmitOne();
  auto waiting = Begin(id, 0, true);
  for (JobState state : {JobState::kSubmitting, JobState::kQueued, JobState::kProcessing}) {
    gateway_->Move(id, state);
  }
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  gateway_->Move(id, JobState::kSucceeded);
  const Waited waited = waiting.get();
  EXPECT_THAT(waited.sequences(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(waited.response.job().state(), v1::Job::STATE_SUCCEEDED);
  // Of a final job nothing more is waited for.
  EXPECT_THAT(Call(id, 5, true).sequences(), IsEmpty());
  EXPECT_THAT(Call(id, 5).sequences(), IsEmpty());
}

TEST_F(Wait, UntilTerminalEndsAtHeldToo) {
  const std::string id = gateway_->SubmitOne();
  auto waiting = Begin(id, 1, true);
  gateway_->Move(id, JobState::kSubmitting);
  gateway_->Move(id, JobState::kUnconfirmed);
  gateway_->Move(id, JobState::kHeld);
  EXPECT_THAT(waiting.get().sequences(), ElementsAre(2, 3, 4));
  // Who knows that it is held waits for what comes then.
  auto again = Begin(id, 4, true);
  gateway_->Move(id, JobState::kQueued);
  gateway_->Move(id, JobState::kSucceeded);
  EXPECT_THAT(again.get().sequences(), ElementsAre(5, 6));
}

TEST_F(Wait, AHeldThatIsOverEndsNothing) {
  const std::string id = gateway_->SubmitOne();
  for (JobState state : {JobState::kSubmitting, JobState::kUnconfirmed, JobState::kHeld}) {
    gateway_->Move(id, state);
  }
  EXPECT_THAT(Call(id, 0, true).sequences(), ElementsAre(1, 2, 3, 4));
  gateway_->Move(id, JobState::kQueued);
  auto waiting = Begin(id, 0, true);
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  gateway_->Move(id, JobState::kSucceeded);
  EXPECT_THAT(waiting.get().sequences(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(Wait, IsEmptyWhenTheWaitIsOver) {
  const std::string id = gateway_->SubmitOne();
  const Waited waited = Call(id, 1, false, absl::Milliseconds(100));
  ASSERT_TRUE(waited.status.ok()) << waited.status.error_message();
  EXPECT_THAT(waited.sequences(), IsEmpty());
  EXPECT_EQ(waited.response.job().id(), id);
  EXPECT_TRUE(NothingLeft());
}

TEST_F(Wait, AnAnswerHasAtMostAHundredTransitions) {
  const std::string id = gateway_->SubmitOne();
  for (int i = 0; i < 60; ++i) {
    gateway_->Move(id, JobState::kSubmitting);
    gateway_->Move(id, JobState::kPending);
  }
  const Waited first = Call(id, 0);
  ASSERT_EQ(first.response.transitions_size(), 100);
  EXPECT_EQ(Call(id, 100).sequences().front(), 101);
}

TEST_F(Wait, ADrainEndsIt) {
  const std::string id = gateway_->SubmitOne();
  auto waiting = Begin(id, 1);
  gateway_->server().Drain();
  const Failure failure = FailureOf(waiting.get().status);
  EXPECT_EQ(failure.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.reason, "DRAINING");
  EXPECT_TRUE(NothingLeft());
  EXPECT_EQ(FailureOf(Call(id, 1).status).reason, "DRAINING");
}

TEST_F(Wait, ACancelFreesIt) {
  const std::string id = gateway_->SubmitOne();
  grpc::ClientContext context;
  v1::WaitJobRequest request;
  request.set_job_id(id);
  request.set_after_sequence(1);
  auto waiting = std::async(std::launch::async, [&] {
    v1::WaitJobResponse response;
    return stub_->WaitJob(&context, request, &response);
  });
  ASSERT_TRUE(Eventually([&] { return gateway_->hub().watcher_count() == 1; }));
  context.TryCancel();
  EXPECT_EQ(waiting.get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(NothingLeft());
}

TEST_F(Wait, RefusesWhatIsWrong) {
  const std::string id = gateway_->SubmitOne();
  EXPECT_THAT(FailureOf(Call("", -1, false, absl::Minutes(11)).status).fields,
              ElementsAre("job_id", "after_sequence", "wait"));
  EXPECT_THAT(FailureOf(Call(id, 0, false, absl::ZeroDuration()).status).fields,
              ElementsAre("wait"));
  EXPECT_EQ(FailureOf(Call("unknown", 0).status).reason, "JOB_NOT_FOUND");
  const Failure beyond = FailureOf(Call(id, 2).status);
  EXPECT_EQ(beyond.reason, "SEQUENCE_OUT_OF_RANGE");
  EXPECT_EQ(beyond.metadata.at("newest_sequence"), "1");
  EXPECT_TRUE(NothingLeft());
}

}  // namespace
}  // namespace lumaedit
