// Cancel in every state: protocol.md section 5.
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

TEST(Cancel, PendingIsExactAndFree) {
  SteppedWorld world;
  world.upstream.usual = Script(Kind::kNotSent);
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(1));
  EXPECT_EQ(world.Cancel(job), CancelResult::kPrevented);
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kCancelled));
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
  EXPECT_EQ(world.Transitions(job).back().actor, "tester");
  EXPECT_EQ(world.Cancel(job), CancelResult::kPrevented);
  const std::size_t posts = world.upstream.posts().size();
  world.RunFor(absl::Minutes(10));
  EXPECT_EQ(world.upstream.posts().size(), posts);
}

TEST(Cancel, DuringTheUploadKeepsTheLastByte) {
  SteppedWorld world;
  world.upstream.usual.upload = absl::Seconds(10);
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(5));
  EXPECT_EQ(world.Cancel(job), CancelResult::kPrevented);
  world.RunFor(absl::Minutes(10));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kCancelled));
  EXPECT_TRUE(world.upstream.accepted().empty());
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(Cancel, SubmittingIsRecordedAndHonouredWhenNotAccepted) {
  SteppedWorld world;
  PostScript slow = Script(Kind::kRateLimited);
  slow.answer_after = absl::Seconds(10);
  world.upstream.Script(slow);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kSubmitting));
  EXPECT_EQ(world.Cancel(job), CancelResult::kRecordedMayBill);
  EXPECT_EQ(world.State(job), kSubmitting);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kCancelled));
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
  EXPECT_EQ(world.Cancel(job), CancelResult::kRecordedMayBill);
}

TEST(Cancel, SubmittingThatIsAcceptedRunsToItsEnd) {
  SteppedWorld world;
  world.upstream.usual.answer_after = absl::Seconds(10);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kSubmitting));
  EXPECT_EQ(world.Cancel(job), CancelResult::kRecordedMayBill);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Cancel, UnconfirmedAndHeldAreHonouredWhenNotAccepted) {
  for (const JobState state : {kUnconfirmed, kHeld}) {
    WorldOptions options;
    options.settings.reconcile.confirm_window = absl::Minutes(2);
    SteppedWorld world(options);
    PostScript slow = Script(Kind::kRateLimited);
    slow.answer_after = absl::Seconds(300);
    world.upstream.Script(slow);
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToState(job, state));
    EXPECT_EQ(world.Cancel(job), CancelResult::kRecordedMayBill);
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kCancelled);
    EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
    EXPECT_EQ(world.upstream.posts().size(), 1u);
  }
}

TEST(Cancel, RunningIsRecorded) {
  for (const JobState state : {kQueued, kProcessing}) {
    SteppedWorld world;
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToState(job, state));
    EXPECT_EQ(world.Cancel(job), CancelResult::kRecordedMayBill);
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    EXPECT_TRUE(IsSet(world.Get(job).cancel_request_time));
  }
}

TEST(Cancel, FinalIsTooLate) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.Cancel(job), CancelResult::kTooLate);
  EXPECT_EQ(world.Cancel(job), CancelResult::kTooLate);
}

TEST(Cancel, AnotherCallersJobIsMissing) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  absl::Status status;
  world.service().Cancel(
      "stranger", job, "stranger",
      Reply<CancelAnswer>([&](absl::StatusOr<CancelAnswer> answer) { status = answer.status(); }));
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(world.State(job), kPending);
}

}  // namespace
}  // namespace lumaedit
