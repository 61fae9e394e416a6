// Finding lost POSTs again: protocol.md section 4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Reconcile, ALostAnswerIsFoundAtTheFirstPass) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
  const absl::Duration lost = world.clock.Uptime();
  ASSERT_TRUE(world.RunToState(job, kQueued));
  EXPECT_GE(world.clock.Uptime() - lost, absl::Milliseconds(1900));
  EXPECT_LE(world.clock.Uptime() - lost, absl::Milliseconds(2100));
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job),
              ElementsAre(kPending, kSubmitting, kUnconfirmed, kQueued, kProcessing, kSucceeded));
  EXPECT_EQ(world.upstream.posts().size(), 1u);
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kIncurred);
}

TEST(Reconcile, PassesComeAtTheirTimes) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
  const absl::Duration lost = world.clock.Uptime();
  ASSERT_TRUE(world.RunToState(job, kHeld));
  std::vector<std::int64_t> seconds;
  for (const absl::Duration time : world.upstream.list_times()) {
    seconds.push_back(absl::ToInt64Seconds(time - lost + absl::Milliseconds(200)));
  }
  EXPECT_THAT(seconds, ElementsAre(2, 5, 15, 30, 60, 120, 300, 600));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kHeld));
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kUncertain);
  EXPECT_EQ(world.log.Count("job_held"), 1);
  // Every ten minutes for a day, hourly then.
  const int lists = world.upstream.lists();
  world.RunFor(absl::Hours(23));
  EXPECT_NEAR(world.upstream.lists() - lists, 138, 2);
  world.RunFor(absl::Hours(2));
  const int day = world.upstream.lists();
  world.RunFor(absl::Hours(10));
  EXPECT_NEAR(world.upstream.lists() - day, 10, 1);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(Reconcile, ALateRecordEndsTheHold) {
  SteppedWorld world;
  PostScript lost = Script(Kind::kLoseAnswer);
  lost.record.shows_after = absl::Minutes(30);
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  ASSERT_TRUE(world.RunToEnd(job, absl::Hours(1)));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kHeld, kSucceeded));
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(Reconcile, AHoldThatLiesTooFarBackKeepsNobodyElseHeld) {
  WorldOptions options;
  options.settings.reconcile.page_limit = 1;
  options.settings.reconcile.most_pages = 20;
  SteppedWorld world(options);
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string old = world.Submit("old");
  ASSERT_TRUE(world.RunToState(old, kHeld));
  for (int i = 0; i < 30; ++i) {
    FakeRecord elsewhere;
    elsewhere.payload.prompt = "elsewhere";
    world.upstream.AddRecord(std::move(elsewhere));
  }
  world.RunFor(absl::Minutes(30));
  PostScript lost = Script(Kind::kLoseAnswer);
  lost.record.shows_after = absl::Minutes(15);
  world.upstream.Script(lost);
  const std::string young = world.Submit("young");
  ASSERT_TRUE(world.RunToState(young, kHeld));
  EXPECT_TRUE(world.RunToState(young, kSucceeded, absl::Hours(1)));
  EXPECT_EQ(world.State(old), kHeld);
}

TEST(Reconcile, ALateAnswerInUnconfirmedIsBelieved) {
  SteppedWorld world;
  PostScript slow;
  slow.answer_after = absl::Seconds(200);
  slow.record.listed = false;
  world.upstream.Script(slow);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
  EXPECT_NEAR(absl::ToDoubleSeconds(world.clock.Uptime() - world.upstream.posts()[0].time), 120, 1);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kSucceeded));
}

TEST(Reconcile, ALateAnswerEndsTheHold) {
  WorldOptions options;
  options.settings.reconcile.confirm_window = absl::Minutes(2);
  SteppedWorld world(options);
  PostScript slow;
  slow.answer_after = absl::Seconds(300);
  slow.record.listed = false;
  world.upstream.Script(slow);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  ASSERT_TRUE(world.RunToEnd(job, absl::Minutes(2)));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kHeld, kSucceeded));
}

TEST(Reconcile, ALateRefusalEndsTheHoldWithAnotherAttempt) {
  WorldOptions options;
  options.settings.reconcile.confirm_window = absl::Minutes(2);
  SteppedWorld world(options);
  PostScript slow = Script(Kind::kRateLimited);
  slow.answer_after = absl::Seconds(300);
  world.upstream.Script(slow);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kHeld, kPending,
                                           kSubmitting, kQueued, kProcessing, kSucceeded));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(Reconcile, NoAnswerAtAllIsHeldNotRepeated) {
  SteppedWorld world;
  PostScript never = Script(Kind::kLoseRequest);
  never.answer_after = absl::Hours(1);
  world.upstream.Script(never);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  world.RunFor(absl::Hours(30));
  EXPECT_EQ(world.State(job), kHeld);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(Reconcile, TwinsAreHeldWithBothCandidates) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
  FakeRecord twin;
  twin.payload = world.upstream.accepted()[0].payload;
  world.upstream.AddRecord(twin);
  ASSERT_TRUE(world.RunToState(job, kHeld));
  EXPECT_THAT(world.Get(job).candidate_upstream_ids,
              testing::UnorderedElementsAre("record-1", "record-2"));
}

TEST(Reconcile, AnEmptyEchoIsNeverAdopted) {
  SteppedWorld world;
  PostScript lost = Script(Kind::kLoseAnswer);
  lost.record.empty_echo = true;
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  EXPECT_THAT(world.Get(job).candidate_upstream_ids, ElementsAre("record-1"));
  world.RunFor(absl::Hours(5));
  EXPECT_EQ(world.State(job), kHeld);
}

TEST(Reconcile, AMissingTimeFits) {
  SteppedWorld world;
  PostScript lost = Script(Kind::kLoseAnswer);
  lost.record.without_time = true;
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Reconcile, AnOldEqualRecordIsNotOurs) {
  SteppedWorld world;
  FakeRecord old;
  old.payload = PayloadFor(world.Request("a").edit);
  world.upstream.AddRecord(old);
  world.RunFor(absl::Hours(1));
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  EXPECT_TRUE(world.Get(job).candidate_upstream_ids.empty());
}

TEST(Reconcile, AFailedRecordIsAdoptedOnlyAfterTheVisibilityTime) {
  SteppedWorld world;
  PostScript lost = Script(Kind::kLoseAnswer);
  lost.record.course = {{absl::ZeroDuration(), "failed"}};
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kFailed));
  EXPECT_GE(world.clock.Uptime() - world.upstream.posts()[0].time, absl::Seconds(130));
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(Reconcile, ASkewedUpstreamClockIsLearned) {
  for (const absl::Duration skew : {absl::Hours(3), -absl::Hours(3)}) {
    SteppedWorld world;
    world.upstream.skew = skew;
    const std::string first = world.Submit("first");
    ASSERT_TRUE(world.RunToEnd(first));
    world.upstream.Script(Script(Kind::kLoseAnswer));
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
  }
}

TEST(Reconcile, EqualPayloadsWaitForEachOther) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string first = world.Submit("same", "caller-1");
  ASSERT_TRUE(world.RunToState(first, kUnconfirmed));
  const std::string second = world.Submit("same", "caller-2");
  world.RunFor(absl::Seconds(1));
  EXPECT_EQ(world.State(second), kPending);
  ASSERT_TRUE(world.RunToEnd(first));
  ASSERT_TRUE(world.RunToEnd(second));
  EXPECT_EQ(world.Get(first).upstream_id, "record-1");
  EXPECT_EQ(world.Get(second).upstream_id, "record-2");
  EXPECT_EQ(world.upstream.accepted().size(), 2u);
}

TEST(Reconcile, EqualPayloadsInDoubtAreNeverSwapped) {
  SteppedWorld world;
  // The first was lost before acceptance and is HELD; the second is accepted, its answer lost. The
  // one record fits both attempts.
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string first = world.Submit("same", "caller-1");
  const std::string second = world.Submit("same", "caller-2");
  world.upstream.Script(Script(Kind::kLoseAnswer));
  ASSERT_TRUE(world.RunToState(first, kHeld));
  ASSERT_TRUE(world.RunUntil([&] { return world.State(second) != kPending; }, absl::Minutes(5)));
  world.RunFor(absl::Hours(2));
  const Job after_first = world.Get(first);
  const Job after_second = world.Get(second);
  // Out of each other's window they may be told apart; never may the wrong one have it.
  EXPECT_TRUE(after_first.upstream_id.empty());
  EXPECT_EQ(after_first.state, kHeld);
  EXPECT_LE(world.upstream.accepted().size(), 1u);
  EXPECT_TRUE(after_second.upstream_id.empty() || after_second.upstream_id == "record-1");
}

TEST(Reconcile, PagesThatFailProveNothing) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kLoseAnswer));
  int calls = 0;
  world.upstream.on_list = [&](const ListQuery&) -> std::optional<ListResult> {
    if (++calls > 3) return std::nullopt;
    ListResult result;
    result.failure = ReadFailure::kBroken;
    return result;
  };
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_EQ(calls, 4);
}

TEST(Reconcile, AnUnorderedListIsReadToItsEnd) {
  SteppedWorld world;
  world.upstream.list_unordered = true;
  for (int i = 0; i < 50; ++i) {
    FakeRecord stranger;
    stranger.payload.prompt = "stranger " + std::to_string(i);
    stranger.created_at = world.clock.Now() - absl::Hours(50 - i);
    world.upstream.AddRecord(stranger);
  }
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_GE(world.log.Count("unknown_upstream_records"), 1);
}

TEST(Reconcile, ALongHistoryIsNotReadToItsEnd) {
  for (const bool says_more : {true, false}) {
    SteppedWorld world;
    world.upstream.says_has_more = says_more;
    for (int i = 0; i < 2000; ++i) {
      FakeRecord old;
      old.payload.prompt = "old";
      old.created_at = world.clock.Now() - absl::Hours(3000 - i);
      world.upstream.AddRecord(old);
    }
    world.upstream.Script(Script(Kind::kLoseAnswer));
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    EXPECT_LE(world.upstream.lists(), 2);
  }
}

TEST(Reconcile, AnotherAccountsListProvesNothing) {
  for (const Kind kind : {Kind::kCapacity, Kind::kLoseAnswer}) {
    SteppedWorld world;
    world.upstream.Script(Script(kind));
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
    world.upstream.account = "account-2";
    ASSERT_TRUE(world.RunToState(job, kHeld));
    world.RunFor(absl::Hours(1));
    EXPECT_EQ(world.State(job), kHeld);
    EXPECT_EQ(world.upstream.posts().size(), 1u);
    EXPECT_GE(world.log.Count("job_unreachable"), 1);
    world.upstream.account = "account-1";
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    EXPECT_EQ(world.upstream.accepted().size(), 1u);
  }
}

}  // namespace
}  // namespace lumaedit
