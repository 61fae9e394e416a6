// The learned pace, the queue as it is shown, and uploads that are not begun in vain: protocol.md
// section 3.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;

PostScript RateLimited(std::optional<RateLimit> told) {
  PostScript script;
  script.kind = Kind::kRateLimited;
  script.retry_after = absl::Seconds(10);
  script.rate_limit = told;
  return script;
}

TEST(LearnedPace, AToldLimitIsKept) {
  SteppedWorld world;
  world.upstream.Script(RateLimited(RateLimit{.limit = 6, .interval = absl::Minutes(1)}));
  for (int i = 0; i < 60; ++i) world.Submit("a" + std::to_string(i));
  world.RunFor(absl::Minutes(5));
  // Ten seconds a POST, and slowly faster: five minutes hold 30 and a few.
  EXPECT_GE(world.upstream.accepted().size(), 28u);
  EXPECT_LE(world.upstream.accepted().size(), 45u);
  const auto& posts = world.upstream.posts();
  // Those that were in flight at the 429 are over; from then on no minute holds more than the limit
  // and its recovery.
  for (std::size_t i = 10; i + 8 < posts.size(); ++i) {
    EXPECT_GE(posts[i + 8].time - posts[i].time, absl::Seconds(55)) << i;
  }
}

TEST(LearnedPace, AWaitWithoutALimitHoldsEveryJobOnce) {
  SteppedWorld world;
  world.upstream.Script(RateLimited(std::nullopt));
  world.Submit("first");
  world.RunFor(absl::Seconds(1));
  for (int i = 0; i < 20; ++i) world.Submit("a" + std::to_string(i));
  world.RunFor(absl::Seconds(8));
  EXPECT_EQ(world.upstream.posts().size(), 1u);
  world.RunFor(absl::Seconds(30));
  EXPECT_EQ(world.upstream.accepted().size(), 21u);
}

TEST(Queue, JobsAheadAndTheNextAttemptAreShown) {
  WorldOptions options;
  options.settings.dispatch.posts_in_flight = 1;
  SteppedWorld world(options);
  world.upstream.usual.answer_after = absl::Seconds(30);
  std::vector<std::string> a;
  for (int i = 0; i < 4; ++i) {
    a.push_back(world.Submit("a" + std::to_string(i), "caller-a"));
    world.clock.Advance(absl::Milliseconds(1));
  }
  const std::string b = world.Submit("b0", "caller-b");
  world.RunFor(absl::Seconds(2));
  EXPECT_EQ(world.board.Get(a[0]).jobs_ahead, 0);
  EXPECT_EQ(world.board.Get(b).jobs_ahead, 0);
  EXPECT_EQ(world.board.Get(a[1]).jobs_ahead, 1);
  EXPECT_EQ(world.board.Get(a[3]).jobs_ahead, 3);
  EXPECT_FALSE(IsSet(world.board.Get(a[3]).next_attempt_time));
  world.Cancel(a[1], "caller-a");
  world.RunFor(absl::Seconds(2));
  EXPECT_EQ(world.board.Get(a[3]).jobs_ahead, 2);
  EXPECT_EQ(world.board.Get(a[1]).jobs_ahead, 0);
}

TEST(Queue, APauseIsShownAsTheNextAttempt) {
  SteppedWorld world;
  PostScript refused;
  refused.kind = Kind::kEveryoneRefused;
  refused.http_status = 402;
  world.upstream.Script(refused);
  world.Submit("a");
  world.RunFor(absl::Seconds(1));
  const std::string waiting = world.Submit("b");
  world.RunFor(absl::Seconds(5));
  const LiveInfo info = world.board.Get(waiting);
  ASSERT_TRUE(IsSet(info.next_attempt_time));
  EXPECT_NEAR(absl::ToDoubleSeconds(info.next_attempt_time - world.clock.Now()), 54, 2);
  ASSERT_TRUE(world.RunToEnd(waiting));
  EXPECT_FALSE(IsSet(world.board.Get(waiting).next_attempt_time));
}

TEST(Queue, NoBodyIsUploadedWhileAnEqualOneIsInDoubt) {
  SteppedWorld world;
  PostScript lost;
  lost.kind = Kind::kLoseAnswer;
  lost.record.shows_after = absl::Minutes(1);
  world.upstream.Script(lost);
  const std::string first = world.Submit("same");
  ASSERT_TRUE(world.RunToState(first, kUnconfirmed));
  const std::string second = world.Submit("same", "caller-2");
  world.RunFor(absl::Seconds(30));
  EXPECT_EQ(world.State(second), kPending);
  // Not even a connection was opened for it.
  EXPECT_EQ(world.upstream.posts().size(), 1u);
  ASSERT_TRUE(world.RunToEnd(first));
  ASSERT_TRUE(world.RunToEnd(second));
  EXPECT_EQ(world.State(first), kSucceeded);
  EXPECT_EQ(world.State(second), kSucceeded);
  EXPECT_EQ(world.upstream.accepted().size(), 2u);
}

TEST(Queue, StartWithinEndsAJobWhoseUploadTakesTooLong) {
  SteppedWorld world;
  world.upstream.usual.upload = absl::Minutes(5);
  SubmitRequest request = world.Request("a");
  request.options.start_within = absl::Minutes(1);
  const std::string job = world.Submit(request);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.Get(job).error->reason, ErrorReason::kStartWithinExceeded);
  EXPECT_TRUE(world.upstream.accepted().empty());
}

// A clock that is set an hour on or back ends nothing early and hurries nothing.
TEST(ClockJump, EndsNoJobEarlyAndLosesNoLease) {
  for (const absl::Duration jump : {absl::Hours(1), -absl::Hours(1)}) {
    SteppedWorld world;
    world.upstream.usual.record.course = {{absl::ZeroDuration(), "queued"},
                                          {absl::Minutes(40), "success"}};
    const std::string running = world.Submit("running");
    ASSERT_TRUE(world.RunToState(running, kQueued));
    PostScript lost;
    lost.kind = Kind::kLoseRequest;
    world.upstream.Script(lost);
    const std::string in_doubt = world.Submit("in doubt");
    ASSERT_TRUE(world.RunToState(in_doubt, kUnconfirmed));
    PostScript unsent;
    unsent.kind = Kind::kNotSent;
    world.upstream.ScriptFor("unsent", unsent);
    for (int i = 0; i < 200; ++i) world.upstream.ScriptFor("unsent", unsent);
    SubmitRequest patient = world.Request("unsent");
    patient.options.start_within = absl::Minutes(30);
    const std::string unsent_job = world.Submit(patient);
    world.RunFor(absl::Minutes(1));
    const int gets = world.upstream.gets();
    world.clock.JumpWallTime(jump);
    world.upstream.skew = -jump;  // the upstream's clock does not jump with ours
    world.RunFor(absl::Minutes(5));
    EXPECT_LE(world.upstream.gets() - gets, 40) << jump;
    EXPECT_EQ(world.State(running), kQueued) << jump;
    EXPECT_EQ(world.State(unsent_job), kPending) << jump;
    EXPECT_EQ(world.State(in_doubt), kUnconfirmed) << jump;
    EXPECT_EQ(world.log.Count("lease_lost"), 0);
    ASSERT_TRUE(world.RunToEnd(running, absl::Hours(2)));
    EXPECT_EQ(world.State(running), kSucceeded) << jump;
    ASSERT_TRUE(world.RunToEnd(unsent_job));
    const Job ended = world.Get(unsent_job);
    EXPECT_GE(ended.end_time, ended.create_time) << jump;
    for (const std::string& job : {running, in_doubt, unsent_job}) {
      absl::Time before = absl::InfinitePast();
      for (const Transition& transition : world.Transitions(job)) {
        EXPECT_GE(transition.record_time, before) << jump;
        before = transition.record_time;
      }
    }
    EXPECT_EQ(world.upstream.accepted().size(), 1u) << jump;
  }
}

}  // namespace
}  // namespace lumaedit
