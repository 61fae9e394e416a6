// Each row of the answer table of protocol.md section 3, from SubmitEdit to the end.
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

TEST(AnswerTable, HappyPath) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  EXPECT_EQ(world.Path(job), std::vector<JobState>{kPending});
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job),
              ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
  const Job after = world.Get(job);
  EXPECT_EQ(after.charge, (Charge{ChargeState::kIncurred, {2'160'000, 2'160'000}}));
  EXPECT_EQ(after.outcome->video_url, "https://media.example.com/record-1.mp4");
  EXPECT_EQ(after.upstream_account, "account-1");
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
  EXPECT_EQ(world.View(job).attempts.at(0).upstream_id, "record-1");
  EXPECT_EQ(world.Transitions(job).back().outcome, after.outcome);
  EXPECT_FALSE(world.log.Contains("media.example.com"));
}

TEST(AnswerTable, AnAnswerThatIsAlreadyFinal) {
  for (const auto& [word, state, charge] :
       {std::tuple{"success", kSucceeded, ChargeState::kIncurred},
        std::tuple{"failed", kFailed, ChargeState::kReleased},
        std::tuple{"cancelled", kCancelled, ChargeState::kUncertain}}) {
    SteppedWorld world;
    PostScript script;
    script.record.course = {{absl::ZeroDuration(), word}};
    world.upstream.Script(script);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, state));
    EXPECT_EQ(world.Get(job).charge.state, charge);
  }
}

TEST(AnswerTable, NotSentCostsNothingAndIsRepeated) {
  SteppedWorld world;
  for (int i = 0; i < 5; ++i) world.upstream.Script(Script(Kind::kNotSent));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job),
              ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
  EXPECT_EQ(world.upstream.posts().size(), 6u);
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
  EXPECT_EQ(world.Get(job).refusals, 0);
}

TEST(AnswerTable, SealedButNotSentIsRepeated) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kBreaksUnsent));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kPending, kSubmitting, kQueued,
                                           kProcessing, kSucceeded));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(AnswerTable, RateLimitIsWaitedFor) {
  SteppedWorld world;
  PostScript limited = Script(Kind::kRateLimited);
  limited.retry_after = absl::Seconds(60);
  world.upstream.Script(limited);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunUntil([&] { return world.Get(job).sequence == 3; }, absl::Seconds(5)));
  EXPECT_EQ(world.State(job), kPending);
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReserved);
  EXPECT_GE(world.Get(job).next_attempt_time - world.clock.Now(), absl::Seconds(59));
  // The limit is everybody's.
  const std::string other = world.Submit("b", "caller-2");
  ASSERT_TRUE(world.RunToEnd(job));
  ASSERT_TRUE(world.RunToEnd(other));
  const auto& posts = world.upstream.posts();
  ASSERT_EQ(posts.size(), 3u);
  EXPECT_GE(posts[1].time - posts[0].time, absl::Seconds(60));
  EXPECT_LT(posts[1].time - posts[0].time, absl::Seconds(62));
  EXPECT_EQ(world.Get(job).refusals, 1);
}

TEST(AnswerTable, ARateLimitBeforeTheLastByteHoldsEverybodyToo) {
  SteppedWorld world;
  PostScript limited = Script(Kind::kRateLimited);
  limited.retry_after = absl::Seconds(60);
  limited.early = true;
  world.upstream.ScriptFor("a", limited);
  const std::string job = world.Submit("a");
  world.Settle();
  const std::string other = world.Submit("b", "caller-2");
  ASSERT_TRUE(world.RunToEnd(job));
  ASSERT_TRUE(world.RunToEnd(other));
  EXPECT_THAT(world.Path(job),
              ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
  EXPECT_GE(world.upstream.posts().at(1).time - world.upstream.posts().at(0).time,
            absl::Seconds(60));
}

TEST(AnswerTable, EditRefused) {
  for (const bool early : {false, true}) {
    SteppedWorld world;
    PostScript refused = Script(Kind::kEditRefused);
    refused.early = early;
    world.upstream.Script(refused);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    if (early) {
      EXPECT_THAT(world.Path(job), ElementsAre(kPending, kFailed));
    } else {
      EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kFailed));
    }
    EXPECT_EQ(world.Get(job).error->reason, ErrorReason::kUpstreamRefused);
    EXPECT_EQ(world.Get(job).error->upstream_code, "invalid_request");
    EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
    world.RunFor(absl::Minutes(10));
    EXPECT_EQ(world.upstream.posts().size(), 1u);
  }
}

TEST(AnswerTable, HundredRefusalsEndTheJob) {
  SteppedWorld world;
  world.upstream.usual = Script(Kind::kRateLimited);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job, absl::Hours(24)));
  EXPECT_EQ(world.State(job), kFailed);
  EXPECT_EQ(world.Get(job).error->reason, ErrorReason::kTooManyRefusals);
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
  EXPECT_EQ(world.upstream.posts().size(), 100u);
  EXPECT_EQ(world.Path(job).size(), 201u);
}

TEST(AnswerTable, EveryoneRefusedPausesAndProbes) {
  for (const int status : {401, 402, 404, 405, 302}) {
    SCOPED_TRACE(status);
    SteppedWorld world;
    PostScript refused = Script(Kind::kEveryoneRefused);
    refused.http_status = status;
    world.upstream.usual = refused;
    std::vector<std::string> jobs;
    for (int i = 0; i < 3; ++i) jobs.push_back(world.Submit("a" + std::to_string(i)));
    world.RunFor(absl::Seconds(50));
    const std::size_t first = world.upstream.posts().size();
    EXPECT_LE(first, 3u);
    world.RunFor(absl::Minutes(30));
    // One probe after 1, 2, 4, 5, 5 … minutes.
    const std::size_t probes = world.upstream.posts().size() - first;
    EXPECT_GE(probes, 5u);
    EXPECT_LE(probes, 9u);
    for (const std::string& job : jobs) {
      EXPECT_EQ(world.State(job), kPending);
      EXPECT_EQ(world.Get(job).refusals, 0);
      EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReserved);
    }
    EXPECT_GE(world.log.Count("upstream_refuses"), 1);
    world.upstream.usual = PostScript{};
    for (const std::string& job : jobs) ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.upstream.accepted().size(), 3u);
  }
}

TEST(AnswerTable, A403WithAReadableKeyIsAboutThisEdit) {
  for (const bool early : {false, true}) {
    SteppedWorld world;
    PostScript refused = Script(Kind::kEveryoneRefused);
    refused.http_status = 403;
    refused.early = early;
    world.upstream.Script(refused);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kFailed);
    EXPECT_EQ(world.Get(job).error->reason, ErrorReason::kUpstreamNotEntitled);
    EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
  }
}

TEST(AnswerTable, A403WithAnUnreadableKeyPauses) {
  SteppedWorld world;
  PostScript refused = Script(Kind::kEveryoneRefused);
  refused.http_status = 403;
  world.upstream.Script(refused);
  world.upstream.on_list = [](const ListQuery&) {
    ListResult result;
    result.failure = ReadFailure::kKeyRefused;
    result.http_status = 403;
    return result;
  };
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(30));
  EXPECT_EQ(world.State(job), kPending);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_GE(world.upstream.posts().at(1).time - world.upstream.posts().at(0).time,
            absl::Minutes(1));
}

TEST(AnswerTable, CapacityWithoutATraceIsRepeatedOnce) {
  for (const bool names_id : {false, true}) {
    SteppedWorld world;
    PostScript capacity = Script(Kind::kCapacity);
    capacity.names_id = names_id;
    world.upstream.Script(capacity);
    const std::string job = world.Submit("a");
    world.RunFor(absl::Seconds(120));
    EXPECT_EQ(world.State(job), kUnconfirmed);
    EXPECT_EQ(world.Get(job).charge.state, ChargeState::kUncertain);
    EXPECT_EQ(world.upstream.posts().size(), 1u);
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kPending,
                                             kSubmitting, kQueued, kProcessing, kSucceeded));
    EXPECT_EQ(world.upstream.accepted().size(), 1u);
  }
}

TEST(AnswerTable, CapacityThatLeftALiveRecordIsAdopted) {
  for (const bool names_id : {false, true}) {
    SteppedWorld world;
    PostScript capacity = Script(Kind::kCapacity);
    capacity.names_id = names_id;
    capacity.leaves = FakeRecord{};
    world.upstream.Script(capacity);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    EXPECT_EQ(world.upstream.posts().size(), 1u);
  }
}

TEST(AnswerTable, CapacityThatLeftAFailedRecordIsRepeated) {
  for (const bool names_id : {false, true}) {
    SteppedWorld world;
    PostScript capacity = Script(Kind::kCapacity);
    capacity.names_id = names_id;
    capacity.leaves = FakeRecord{};
    capacity.leaves->course = {{absl::ZeroDuration(), "failed"}};
    world.upstream.Script(capacity);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    EXPECT_EQ(world.upstream.posts().size(), 2u);
    EXPECT_EQ(world.upstream.accepted().size(), 1u);
    EXPECT_GE(world.upstream.posts()[1].time - world.upstream.posts()[0].time, absl::Minutes(2));
  }
}

TEST(AnswerTable, CapacityWithHoldIsNeverRepeated) {
  WorldOptions options;
  options.settings.reconcile.retry_capacity_refusal = false;
  SteppedWorld world(options);
  world.upstream.Script(Script(Kind::kCapacity));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  world.RunFor(absl::Hours(3));
  EXPECT_EQ(world.State(job), kHeld);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(AnswerTable, CapacityWhileTheListCannotBeReadIsHeld) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kCapacity));
  world.upstream.on_list = [](const ListQuery&) {
    ListResult result;
    result.failure = ReadFailure::kBusy;
    return result;
  };
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(AnswerTable, AnEarlyUnclearAnswerIsNotInDoubt) {
  for (const Kind kind : {Kind::kCapacity, Kind::kLoseRequest}) {
    SteppedWorld world;
    PostScript early = Script(kind);
    early.early = true;
    world.upstream.Script(early);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_THAT(world.Path(job),
                ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
    EXPECT_EQ(world.upstream.accepted().size(), 1u);
  }
}

// Assumption A1 broken: accepted without its last byte.
TEST(AnswerTable, AShortBodyThatWasAcceptedIsSealedFirst) {
  SteppedWorld world;
  PostScript early = Script(Kind::kAccept);
  early.early = true;
  world.upstream.Script(early);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job),
              ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
  EXPECT_GE(world.log.Count("short_body_accepted"), 1);
}

TEST(AnswerTable, AnIdThatAnotherJobOwnsIsUnclear) {
  SteppedWorld world;
  const std::string first = world.Submit("a");
  ASSERT_TRUE(world.RunToState(first, kQueued));
  PostScript wrong;
  wrong.answer_id = "record-1";
  world.upstream.Script(wrong);
  const std::string second = world.Submit("b", "caller-2");
  ASSERT_TRUE(world.RunToEnd(second));
  ASSERT_TRUE(world.RunToEnd(first));
  EXPECT_THAT(world.Path(second),
              ElementsAre(kPending, kSubmitting, kUnconfirmed, kQueued, kProcessing, kSucceeded));
  EXPECT_EQ(world.Get(second).upstream_id, "record-2");
  EXPECT_EQ(world.Get(first).upstream_id, "record-1");
  EXPECT_EQ(world.upstream.accepted().size(), 2u);
  EXPECT_GE(world.log.Count("upstream_id_owned_twice"), 1);
}

TEST(AnswerTable, ABugInTheTransportLeavesNoJobBehind) {
  SteppedWorld world;
  world.upstream.Script(Script(Kind::kThrows));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_EQ(world.log.Count("task_failed"), 1);
}

}  // namespace
}  // namespace lumaedit
