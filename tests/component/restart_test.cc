// A process ends anywhere, and the next one goes on: design.md section 4, protocol.md section 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/job/state_rules.h"
#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;
using testing::ElementsAre;

PostScript Script(Kind kind) {
  PostScript script;
  script.kind = kind;
  return script;
}

TEST(Restart, InEveryState) {
  struct Row {
    JobState state;
    PostScript script;
  };
  PostScript slow;
  slow.answer_after = absl::Seconds(60);
  PostScript late = Script(Kind::kLoseAnswer);
  late.record.shows_after = absl::Minutes(20);
  const Row rows[] = {
      {kPending, Script(Kind::kNotSent)},
      {kSubmitting, slow},
      {kUnconfirmed, Script(Kind::kLoseAnswer)},
      {kHeld, late},
      {kQueued, PostScript{}},
      {kProcessing, PostScript{}},
      {kSucceeded, PostScript{}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(JobStateName(row.state));
    SteppedWorld world;
    world.upstream.Script(row.script);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToState(job, row.state));
    world.Restart();
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    EXPECT_EQ(world.upstream.accepted().size(), 1u);
    world.Path(job);
  }
}

TEST(Restart, DuringTheUploadCostsNothing) {
  SteppedWorld world;
  world.upstream.usual.upload = absl::Seconds(10);
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(5));
  world.Restart();
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job),
              ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(Restart, AgainAndAgain) {
  SteppedWorld world;
  world.upstream.usual.upload = absl::Milliseconds(300);
  world.upstream.usual.answer_after = absl::Milliseconds(300);
  std::vector<std::string> jobs;
  for (int i = 0; i < 12; ++i) jobs.push_back(world.Submit("a" + std::to_string(i)));
  for (int i = 0; i < 25; ++i) {
    world.RunFor(absl::Milliseconds(100 + 70 * i));
    world.Restart();
  }
  for (const std::string& job : jobs) {
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    world.Path(job);
  }
  EXPECT_EQ(world.upstream.accepted().size(), jobs.size());
}

TEST(Restart, AWaitThatTheUpstreamAskedForIsKept) {
  SteppedWorld world;
  PostScript limited = Script(Kind::kRateLimited);
  limited.retry_after = absl::Seconds(100);
  world.upstream.Script(limited);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunUntil([&] { return world.Get(job).sequence == 3; }, absl::Seconds(5)));
  world.Restart();
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_GE(world.upstream.posts().at(1).time - world.upstream.posts().at(0).time,
            absl::Seconds(99));
}

TEST(Restart, RepeatsFindTheirJob) {
  SteppedWorld world;
  const SubmitRequest request = world.Request("a");
  const std::string job = world.Submit(request);
  world.Restart();
  EXPECT_EQ(world.Submit(request), job);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.Submit(request), job);
  world.RunFor(absl::Minutes(5));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(Drain, UnsealedStayPendingSealedAreLeftToTheNextOwner) {
  SteppedWorld world;
  PostScript uploading;
  uploading.upload = absl::Seconds(20);
  PostScript sealed;
  sealed.answer_after = absl::Seconds(60);
  PostScript quick;
  quick.answer_after = absl::Seconds(6);
  world.upstream.ScriptFor("uploading", uploading);
  world.upstream.ScriptFor("sealed", sealed);
  world.upstream.ScriptFor("quick", quick);
  const std::string a = world.Submit("uploading");
  const std::string b = world.Submit("sealed");
  const std::string c = world.Submit("quick");
  world.RunFor(absl::Seconds(1));
  world.ShutDown(absl::Seconds(10));
  EXPECT_EQ(world.upstream.accepted().size(), 2u);
  world.Start();
  for (const std::string& job : {a, b, c}) {
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    world.Path(job);
  }
  // Only what was sealed and not answered is in doubt.
  EXPECT_THAT(world.Path(a), testing::Not(testing::Contains(kUnconfirmed)));
  EXPECT_THAT(world.Path(b), testing::Contains(kUnconfirmed));
  EXPECT_THAT(world.Path(c), testing::Not(testing::Contains(kUnconfirmed)));
  EXPECT_EQ(world.upstream.accepted().size(), 3u);
}

TEST(Drain, ManyTasksAreAllAwaited) {
  SteppedWorld world;
  world.upstream.get_takes = absl::Milliseconds(500);
  for (int i = 0; i < 100; ++i) world.Submit("a" + std::to_string(i));
  world.RunFor(absl::Seconds(5));
  world.ShutDown(absl::Seconds(10));
  EXPECT_EQ(world.log.Count("tasks_left"), 0);
  world.Start();
}

// Facts are not fenced, decisions are: protocol.md section 2.
TEST(Takeover, AnAnswerThatComesAfterItIsAFactForTheNextOwner) {
  SteppedWorld world;
  PostScript slow;
  slow.answer_after = absl::Seconds(12);
  slow.record.listed = false;  // only the answer tells of it
  world.upstream.Script(slow);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kSubmitting));
  world.RunFor(absl::Seconds(11));  // the lease was renewed after 10
  const auto next = world.store().Acquire("next");
  ASSERT_TRUE(next.ok()) << next.status();
  world.RunFor(absl::Seconds(2));
  // The former owner, which does not know yet, wrote down what it was told, and moved nothing.
  EXPECT_EQ(world.upstream.posts_in_flight(), 0);
  EXPECT_EQ(world.log.Count("lease_lost"), 0);
  EXPECT_EQ(world.State(job), kSubmitting);
  const JobView view = world.View(job);
  ASSERT_EQ(view.attempts.size(), 1u);
  ASSERT_FALSE(view.attempts[0].facts.empty());
  EXPECT_EQ(view.attempts[0].facts.back().kind, FactKind::kAccepted);
  // Whoever owns the job then needs no list to know.
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.log.Count("lease_lost"), 1);
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_THAT(world.Path(job), testing::Not(testing::Contains(kUnconfirmed)));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(Takeover, WhatAnOwnerSawThatMayNotWriteIsStillNewToTheNextPoll) {
  SteppedWorld world;
  PostScript script;
  script.record.course = {{absl::ZeroDuration(), "queued"}, {absl::Seconds(12), "success"}};
  world.upstream.Script(script);
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(11));  // the lease was renewed after 10
  const auto next = world.store().Acquire("next");
  ASSERT_TRUE(next.ok()) << next.status();
  ASSERT_TRUE(world.RunToEnd(job));
  ASSERT_GE(world.log.Count("job_update_failed"), 1);
  const absl::Time happened = world.upstream.records().front().created_at + absl::Seconds(12);
  const Transition last = world.Transitions(job).back();
  EXPECT_LE(last.not_before, happened);
  EXPECT_GE(last.not_after, happened);
}

}  // namespace
}  // namespace lumaedit
