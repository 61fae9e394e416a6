// Assumption A1 broken (protocol.md section 3): a body without its last byte is accepted. Whatever
// stands in the way of the seal by then, the id belongs to the job and nothing is sent again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;
using testing::ElementsAre;
using testing::SizeIs;

// Accepted after an upload of ten seconds, and answered before the seal or while it is asked for.
PostScript Early(bool in_seal) {
  PostScript script;
  script.upload = absl::Seconds(10);
  script.early = true;
  if (in_seal) script.answer_after = absl::Milliseconds(100);
  return script;
}

class ShortBody : public testing::TestWithParam<bool> {
 protected:
  void ExpectItsRecord(const std::string& job) {
    ASSERT_THAT(world_.upstream.accepted(), SizeIs(1));
    EXPECT_EQ(world_.Get(job).upstream_id, world_.upstream.accepted()[0].id);
    EXPECT_EQ(world_.Get(job).upstream_account, "account-1");
    EXPECT_EQ(world_.log.Count("short_body_accepted"), 1);
  }

  SteppedWorld world_;
};

TEST_P(ShortBody, IsSealedFirst) {
  world_.upstream.Script(Early(GetParam()));
  const std::string job = world_.Submit("a");
  ASSERT_TRUE(world_.RunToEnd(job));
  EXPECT_THAT(world_.Path(job),
              ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
  ExpectItsRecord(job);
  EXPECT_THAT(world_.upstream.posts(), SizeIs(1));
}

TEST_P(ShortBody, AnEqualPayloadInDoubtKeepsNobodyFromItsRecord) {
  PostScript lost;
  lost.kind = Kind::kLoseRequest;
  world_.upstream.Script(Early(GetParam()));
  world_.upstream.Script(lost);
  const std::string job = world_.Submit("a");
  world_.RunFor(absl::Seconds(6));
  const std::string twin = world_.Submit("a");
  ASSERT_TRUE(world_.RunToState(twin, kUnconfirmed, absl::Seconds(1)));
  ASSERT_EQ(world_.State(job), kPending);
  ASSERT_TRUE(world_.RunToEnd(job));
  EXPECT_THAT(world_.Path(job),
              ElementsAre(kPending, kSubmitting, kQueued, kProcessing, kSucceeded));
  ExpectItsRecord(job);
  EXPECT_EQ(world_.View(job).attempts.at(0).upstream_id, world_.Get(job).upstream_id);
  // The twin goes on looking for its own, and finds none.
  ASSERT_TRUE(world_.RunToState(twin, kHeld));
  EXPECT_THAT(world_.Get(twin).candidate_upstream_ids, ElementsAre());
  EXPECT_THAT(world_.upstream.posts(), SizeIs(2));
}

TEST_P(ShortBody, IsTheJobsWhileDispatchIsPaused) {
  world_.upstream.Script(Early(GetParam()));
  const std::string job = world_.Submit("a");
  world_.RunFor(absl::Seconds(5));
  world_.engine().context().SetDispatchPaused(true);
  ASSERT_TRUE(world_.RunToEnd(job));
  EXPECT_EQ(world_.State(job), kSucceeded);
  ExpectItsRecord(job);
}

TEST_P(ShortBody, ACancelThatCameBetweenPreventedNothing) {
  world_.upstream.Script(Early(GetParam()));
  const std::string job = world_.Submit("a");
  world_.RunFor(absl::Seconds(5));
  ASSERT_EQ(world_.Cancel(job), CancelResult::kPrevented);
  world_.RunFor(absl::Seconds(30));
  ExpectItsRecord(job);
  EXPECT_THAT(world_.Path(job), ElementsAre(kPending, kCancelled));
  const Job after = world_.Get(job);
  EXPECT_EQ(after.cancel_result, CancelResult::kRecordedMayBill);
  EXPECT_EQ(world_.Cancel(job), CancelResult::kRecordedMayBill);
  EXPECT_EQ(after.charge.state, ChargeState::kIncurred);
  EXPECT_TRUE(IsSet(after.accept_time));
  EXPECT_FALSE(after.outcome.has_value());
  world_.RunFor(absl::Hours(1));
  EXPECT_THAT(world_.upstream.posts(), SizeIs(1));
}

TEST_P(ShortBody, ACancelledJobHasTheEndOfItsRecord) {
  for (const auto& [word, charge] : {std::pair{"success", ChargeState::kIncurred},
                                     {"failed", ChargeState::kReleased},
                                     {"cancelled", ChargeState::kUncertain}}) {
    SCOPED_TRACE(word);
    SteppedWorld world;
    PostScript early = Early(GetParam());
    early.record.course = {{absl::ZeroDuration(), word}};
    world.upstream.Script(early);
    const std::string job = world.Submit("a");
    world.RunFor(absl::Seconds(5));
    ASSERT_EQ(world.Cancel(job), CancelResult::kPrevented);
    world.RunFor(absl::Seconds(30));
    const Job after = world.Get(job);
    EXPECT_EQ(after.state, kCancelled);
    EXPECT_EQ(after.upstream_id, "record-1");
    EXPECT_EQ(after.charge.state, charge);
    EXPECT_EQ(after.outcome.has_value(), std::string(word) == "success");
    EXPECT_TRUE(IsSet(after.late_outcome_time));
  }
}

INSTANTIATE_TEST_SUITE_P(BeforeAndInTheSeal, ShortBody, testing::Bool(),
                         [](const auto& info) { return info.param ? "InTheSeal" : "Before"; });

}  // namespace
}  // namespace lumaedit
