// Which POSTs go out, when, and how many: protocol.md section 3.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;

PostScript Script(Kind kind) {
  PostScript script;
  script.kind = kind;
  return script;
}

TEST(Dispatch, AtMostEightAtOnce) {
  SteppedWorld world;
  world.upstream.usual.upload = absl::Seconds(5);
  world.upstream.usual.answer_after = absl::Seconds(5);
  std::vector<std::string> jobs;
  for (int i = 0; i < 30; ++i) jobs.push_back(world.Submit("a" + std::to_string(i)));
  for (const std::string& job : jobs) ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.upstream.most_posts_in_flight(), 8);
  EXPECT_EQ(world.upstream.accepted().size(), 30u);
}

TEST(Dispatch, RoundRobinOverCallersFirstInFirstOutWithinOne) {
  WorldOptions options;
  options.settings.dispatch.posts_in_flight = 1;
  SteppedWorld world(options);
  world.upstream.usual.answer_after = absl::Seconds(1);
  for (int i = 0; i < 4; ++i) {
    world.Submit("a" + std::to_string(i), "caller-a");
    world.clock.Advance(absl::Milliseconds(1));
  }
  for (int i = 0; i < 2; ++i) {
    world.Submit("b" + std::to_string(i), "caller-b");
    world.clock.Advance(absl::Milliseconds(1));
  }
  world.Submit("c0", "caller-c");
  world.RunFor(absl::Minutes(1));
  std::vector<std::string> order;
  for (const auto& post : world.upstream.posts()) order.push_back(post.prompt);
  EXPECT_THAT(order, testing::ElementsAre("a0", "b0", "c0", "a1", "b1", "a2", "a3"));
}

TEST(Dispatch, StartWithinEndsAnUnsentJob) {
  SteppedWorld world;
  world.upstream.usual = Script(Kind::kNotSent);
  SubmitRequest request = world.Request("a");
  request.options.start_within = absl::Seconds(90);
  const std::string job = world.Submit(request);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kFailed);
  EXPECT_EQ(world.Get(job).error->reason, ErrorReason::kStartWithinExceeded);
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
  EXPECT_NEAR(absl::ToDoubleSeconds(world.Get(job).end_time - world.Get(job).create_time), 90, 1);
}

TEST(Dispatch, StartWithinDoesNotEndASentJob) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kLoseAnswer));
  SubmitRequest request = world.Request("a");
  request.options.start_within = absl::Seconds(1);
  const std::string job = world.Submit(request);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Dispatch, AnOutageCostsAHandfulOfJobs) {
  SteppedWorld world;
  world.upstream.usual = Script(Kind::kLoseRequest);
  std::vector<std::string> jobs;
  for (int i = 0; i < 200; ++i) jobs.push_back(world.Submit("a" + std::to_string(i)));
  world.RunFor(absl::Minutes(20));
  int in_doubt = 0;
  for (const std::string& job : jobs) {
    const JobState state = world.State(job);
    in_doubt += state == kUnconfirmed || state == kHeld;
  }
  // Eight in flight at first, then a probe after 30 s, 1, 2, 4, 5, 5 … min.
  EXPECT_GE(in_doubt, 10);
  EXPECT_LE(in_doubt, 16);
}

TEST(Dispatch, OneAtATimeAfterAnUnclearAnswer) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kLoseRequest));
  world.Submit("a");
  world.RunFor(absl::Seconds(1));
  const int before = world.upstream.most_posts_in_flight();
  EXPECT_EQ(before, 1);
  world.upstream.usual.answer_after = absl::Seconds(1);
  for (int i = 0; i < 5; ++i) world.Submit("b" + std::to_string(i));
  world.RunFor(absl::Milliseconds(500));
  EXPECT_EQ(world.upstream.posts_in_flight(), 1);
  world.RunFor(absl::Seconds(1));
  EXPECT_EQ(world.upstream.posts_in_flight(), 4);  // the first was clear
}

TEST(Dispatch, NothingIsSentWithoutTheLease) {
  SteppedWorld world;
  world.engine().context().LoseLease();
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(1));
  EXPECT_EQ(world.State(job), kPending);
  EXPECT_TRUE(world.upstream.accepted().empty());
  ASSERT_TRUE(world.RunToEnd(job));  // renewed within 5 s
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Dispatch, ALeaseThatRunsOutDuringTheUploadKeepsTheLastByte) {
  SteppedWorld world;
  world.upstream.usual.upload = absl::Milliseconds(500);
  const std::string job = world.Submit("a");
  world.RunFor(absl::Milliseconds(100));
  world.engine().context().LoseLease();
  world.RunFor(absl::Seconds(1));
  EXPECT_EQ(world.State(job), kPending);
  EXPECT_TRUE(world.upstream.accepted().empty());
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(Dispatch, AnOldStateToldLateChangesNothing) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kQueued));
  Job old = world.Get(job);
  old.state = kSubmitting;
  old.sequence = 2;
  world.engine().OnChanged(old);
  old.state = kPending;
  old.sequence = 1;
  world.engine().OnChanged(old);
  world.Settle();
  EXPECT_EQ(world.engine().poller().live(), 1u);
  EXPECT_EQ(world.engine().dispatcher().waiting(), 0u);
  ASSERT_TRUE(world.RunToEnd(job));
}

}  // namespace
}  // namespace lumaedit
