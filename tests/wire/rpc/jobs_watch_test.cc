// WatchJobs on the wire (protocol.md section 6).
#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Told {
  std::vector<std::pair<std::string, int>> transitions;  // job, sequence
  std::vector<std::string> tokens;                       // of every message
  int caught_up_at = -1;                                 // transitions before it
  int heartbeats = 0;
  grpc::Status status;
};

class JobsWatch : public ::testing::Test {
 protected:
  void SetUp() override { Use({}); }

  void Use(GatewayOptions options) {
    options.rpc.tick = absl::Milliseconds(20);
    gateway_.reset();
    gateway_ = std::make_unique<Gateway>(std::move(options));
    ASSERT_TRUE(gateway_->started().ok()) << gateway_->started();
    stub_ = gateway_->Stub();
  }

  // Reads until `done` says so, then cancels; or to the stream's own end.
  Told Read(const v1::WatchJobsRequest& request,
            const std::function<bool(const Told&)>& done = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    auto reader = stub_->WatchJobs(&context, request);
    Told told;
    v1::WatchJobsResponse message;
    while (reader->Read(&message)) {
      EXPECT_FALSE(message.resume_token().empty());
      told.tokens.push_back(message.resume_token());
      if (message.has_transition()) {
        told.transitions.emplace_back(message.job_id(), message.transition().sequence());
      } else if (message.has_caught_up()) {
        EXPECT_EQ(told.caught_up_at, -1);
        EXPECT_EQ(message.job_id(), "");
        told.caught_up_at = static_cast<int>(told.transitions.size());
      } else if (message.has_heartbeat()) {
        ++told.heartbeats;
      } else {
        ADD_FAILURE() << "an empty message";
      }
      if (done && done(told)) context.TryCancel();
    }
    told.status = reader->Finish();
    return told;
  }
  Told ReadToCaughtUp(const v1::WatchJobsRequest& request) {
    return Read(request, [](const Told& told) { return told.caught_up_at >= 0; });
  }

  std::string ListToken() {
    grpc::ClientContext context;
    v1::ListJobsResponse page;
    EXPECT_TRUE(stub_->ListJobs(&context, {}, &page).ok());
    EXPECT_FALSE(page.watch_token().empty());
    return page.watch_token();
  }
  static v1::WatchJobsRequest After(const std::string& token) {
    v1::WatchJobsRequest request;
    request.set_resume_token(token);
    return request;
  }
  std::string SubmitWith(const std::string& team) {
    v1::SubmitEditRequest request = gateway_->Good();
    (*request.mutable_labels())["team"] = team;
    grpc::ClientContext context;
    v1::Job job;
    EXPECT_TRUE(stub_->SubmitEdit(&context, request, &job).ok());
    return job.id();
  }
  bool NoStreamLeft() {
    return Eventually([&] {
      return gateway_->service().open_streams() == 0 && gateway_->hub().watcher_count() == 0;
    });
  }

  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
};

TEST_F(JobsWatch, FromNowThenEachTransitionOfEveryJobAlsoOfLaterOnes) {
  const std::string first = gateway_->SubmitOne();
  std::string second;
  bool moved = false;
  const Told told = Read({}, [&](const Told& so_far) {
    if (so_far.caught_up_at == 0 && !std::exchange(moved, true)) {
      gateway_->Move(first, JobState::kSubmitting);
      second = gateway_->SubmitOne();
      gateway_->Move(first, JobState::kQueued);
    }
    return so_far.transitions.size() == 3;
  });
  EXPECT_EQ(told.caught_up_at, 0);
  EXPECT_THAT(told.transitions,
              ElementsAre(std::pair(first, 2), std::pair(second, 1), std::pair(first, 3)));
  EXPECT_TRUE(NoStreamLeft());
}

TEST_F(JobsWatch, GoesOnAfterAnyTokenWithoutGapOrRepeat) {
  const std::string start = ListToken();
  const std::string a = gateway_->SubmitOne();
  const std::string b = gateway_->SubmitOne();
  for (JobState state : {JobState::kSubmitting, JobState::kQueued, JobState::kProcessing}) {
    gateway_->Move(a, state);
    gateway_->Move(b, state);
  }
  const Told all = ReadToCaughtUp(After(start));
  ASSERT_EQ(all.transitions.size(), 8u);
  EXPECT_EQ(all.caught_up_at, 8);
  for (std::size_t i = 0; i < 8; ++i) {
    const Told rest = ReadToCaughtUp(After(all.tokens[i]));
    EXPECT_EQ(rest.transitions,
              (std::vector(all.transitions.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                           all.transitions.end())))
        << i;
  }
  // What the list shows is not told again, what came after it is.
  EXPECT_THAT(ReadToCaughtUp(After(ListToken())).transitions, IsEmpty());
}

TEST_F(JobsWatch, ALongPastComesFromTheStore) {
  const std::string start = ListToken();
  const std::string id = gateway_->SubmitOne();
  for (int i = 0; i < 200; ++i) {
    gateway_->Move(id, JobState::kSubmitting);
    gateway_->Move(id, JobState::kPending);
  }
  const Told told = ReadToCaughtUp(After(start));
  ASSERT_EQ(told.transitions.size(), 401u);
  for (std::size_t i = 0; i < told.transitions.size(); ++i) {
    EXPECT_EQ(told.transitions[i], std::pair(id, static_cast<int>(i) + 1));
  }
}

TEST_F(JobsWatch, FiltersByIdsAndByLabels) {
  const std::string start = ListToken();
  const std::string blue = SubmitWith("blue");
  const std::string red = SubmitWith("red");
  v1::WatchJobsRequest request = After(start);
  request.add_job_ids(red);
  request.add_job_ids("unknown");
  EXPECT_THAT(ReadToCaughtUp(request).transitions, ElementsAre(std::pair(red, 1)));
  v1::WatchJobsRequest labelled = After(start);
  (*labelled.mutable_labels())["team"] = "blue";
  const Told told = ReadToCaughtUp(labelled);
  EXPECT_THAT(told.transitions, ElementsAre(std::pair(blue, 1)));
  // Live as well.
  labelled.set_resume_token(told.tokens.back());
  bool moved = false;
  const Told live = Read(labelled, [&](const Told& so_far) {
    if (so_far.caught_up_at == 0 && !std::exchange(moved, true)) {
      gateway_->Move(red, JobState::kSubmitting);
      gateway_->Move(blue, JobState::kSubmitting);
    }
    return !so_far.transitions.empty();
  });
  EXPECT_THAT(live.transitions, ElementsAre(std::pair(blue, 2)));
}

TEST_F(JobsWatch, RefusesWhatItCannotServe) {
  gateway_->SubmitOne();
  const auto fields = [&](const v1::WatchJobsRequest& request) {
    const Failure failure = FailureOf(Read(request).status);
    EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT);
    return failure.fields;
  };
  EXPECT_THAT(fields(After("nonsense")), ElementsAre("resume_token"));
  v1::WatchJobsRequest both;
  both.add_job_ids("a");
  (*both.mutable_labels())["team"] = "blue";
  EXPECT_THAT(fields(both), ElementsAre("labels"));
  v1::WatchJobsRequest many;
  for (int i = 0; i < 1001; ++i) many.add_job_ids(std::to_string(i));
  EXPECT_THAT(fields(many), ElementsAre("job_ids"));
  v1::WatchJobsRequest longer;
  longer.add_job_ids(std::string(64, 'a'));
  longer.add_job_ids(std::string(65, 'a'));
  EXPECT_THAT(fields(longer), ElementsAre("job_ids"));
  v1::WatchJobsRequest beat;
  for (const int seconds : {0, 1, 4, 61}) {
    beat.mutable_heartbeat_interval()->set_seconds(seconds);
    EXPECT_THAT(fields(beat), ElementsAre("heartbeat_interval")) << seconds;
  }
  // The token of another filter; that of a list is good for all.
  const std::string of_all = ReadToCaughtUp({}).tokens.back();
  v1::WatchJobsRequest other = After(of_all);
  other.add_job_ids("a");
  EXPECT_THAT(fields(other), ElementsAre("resume_token"));

  const std::string old_token = ListToken();
  Use({});
  const Failure foreign = FailureOf(Read(After(old_token)).status);
  EXPECT_EQ(foreign.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(foreign.reason, "TOKEN_FROM_OTHER_STORE");
}

// Lets something happen when it encodes one of the changes.
class EventfulEncoder final : public Encoder {
 public:
  std::shared_ptr<const void> Encode(const std::string& job_id,
                                     const Transition& transition) override {
    if (transition.change == at) event();
    return encoder_.Encode(job_id, transition);
  }
  std::size_t ByteSize(const std::shared_ptr<const void>& encoded) const override {
    return encoder_.ByteSize(encoded);
  }
  std::int64_t at = 0;
  std::function<void()> event;

 private:
  TransitionEncoder encoder_;
};

TEST_F(JobsWatch, APurgeAmidAReplayEndsItWithATokenThatIsTooOld) {
  EventfulEncoder encoder;
  GatewayOptions options;
  options.encoder = &encoder;
  Use(std::move(options));
  const std::string start = ListToken();
  const std::string id = gateway_->SubmitOne();
  for (int i = 0; i < 200; ++i) {
    gateway_->Move(id, JobState::kSubmitting);
    gateway_->Move(id, JobState::kPending);
  }
  gateway_->Move(id, JobState::kCancelled);
  encoder.at = 20;
  encoder.event = [&] {
    EXPECT_EQ(*gateway_->store().Purge(absl::InfiniteFuture(), absl::InfinitePast(), 10), 1);
  };
  const Told told = Read(After(start));
  const Failure failure = FailureOf(told.status);
  EXPECT_EQ(failure.code, grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(failure.reason, "TOKEN_TOO_OLD");
  EXPECT_FALSE(told.transitions.empty());
  EXPECT_LT(told.transitions.size(), 402u);
  EXPECT_TRUE(NoStreamLeft());
  gateway_.reset();  // before its encoder
}

TEST_F(JobsWatch, ATokenFromBeforeAPurgeIsTooOld) {
  const std::string start = ListToken();
  gateway_->Move(gateway_->SubmitOne(), JobState::kCancelled);
  ASSERT_EQ(*gateway_->store().Purge(absl::InfiniteFuture(), absl::InfinitePast(), 10), 1);
  const Failure failure = FailureOf(Read(After(start)).status);
  EXPECT_EQ(failure.code, grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(failure.reason, "TOKEN_TOO_OLD");
  EXPECT_THAT(ReadToCaughtUp(After(ListToken())).transitions, IsEmpty());
  EXPECT_TRUE(NoStreamLeft());
}

TEST_F(JobsWatch, BeatsWithAPositionAndIsRotatedAndDrained) {
  GatewayOptions options;
  options.rpc.usual_heartbeat = absl::Milliseconds(40);
  options.rpc.stream_age = absl::Seconds(1);
  Use(options);
  const std::string id = gateway_->SubmitOne();
  const Told rotated = Read({});
  EXPECT_GT(rotated.heartbeats, 0);
  EXPECT_EQ(FailureOf(rotated.status).reason, "STREAM_ROTATED");
  EXPECT_TRUE(FailureOf(rotated.status).retry_after.has_value());
  // Nothing is lost between the two.
  ASSERT_FALSE(rotated.tokens.empty());
  gateway_->Move(id, JobState::kSubmitting);
  EXPECT_THAT(ReadToCaughtUp(After(rotated.tokens.back())).transitions,
              ElementsAre(std::pair(id, 2)));
  const Told drained = Read({}, [&](const Told& told) {
    if (told.caught_up_at == 0) gateway_->server().Drain();
    return false;
  });
  EXPECT_EQ(FailureOf(drained.status).reason, "DRAINING");
  EXPECT_TRUE(NoStreamLeft());
}

}  // namespace
}  // namespace lumaedit
