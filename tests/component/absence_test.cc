// What does not prove that a POST was not accepted: a wrong clock, an old list, a record that is
// there under another time or echo (protocol.md section 4). A mistake here is paid twice.
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

std::optional<ListResult> Busy(const ListQuery&) {
  ListResult busy;
  busy.failure = ReadFailure::kBusy;
  return busy;
}

// A refusal for capacity that left a live record behind, as upstream.md section 9 has it.
PostScript CapacityThatLies() {
  PostScript script = Script(Kind::kCapacity);
  script.leaves = FakeRecord{};
  return script;
}

// The failed twin of an earlier edit, and a live record that a wrong clock puts minutes later.
TEST(Absence, AFailedTwinIsNotBelievedWhileALiveOneMayBeMeant) {
  SteppedWorld world;
  for (const Kind kind : {Kind::kLoseAnswer, Kind::kCapacity}) {
    const std::string prompt = kind == Kind::kCapacity ? "capacity" : "lost";
    PostScript script = Script(kind);
    (kind == Kind::kCapacity ? script.leaves.emplace() : script.record).created_at =
        world.clock.Now() + absl::Minutes(5);
    world.upstream.Script(script);
    const std::size_t posts = world.upstream.posts().size();
    const std::string job = world.Submit(prompt);
    ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
    FakeRecord failed;
    failed.payload = PayloadFor(world.Get(job).edit);
    failed.course = {{absl::ZeroDuration(), "failed"}};
    failed.created_at = world.clock.Now();
    world.upstream.AddRecord(failed);
    ASSERT_TRUE(world.RunToState(job, kHeld)) << prompt;
    EXPECT_EQ(world.Get(job).candidate_upstream_ids.size(), 2u);
    world.RunFor(absl::Hours(2));
    EXPECT_EQ(world.State(job), kHeld);
    EXPECT_EQ(world.upstream.posts().size(), posts + 1);
  }
}

// Our clock is wrong when the POST goes out, and is set right before the list can be read.
TEST(Absence, AClockThatWasSetMeanwhileProvesNothing) {
  for (const absl::Duration wrong_by : {-absl::Hours(1), absl::Hours(1)}) {
    SteppedWorld world;
    world.clock.JumpWallTime(wrong_by);
    world.upstream.skew = -wrong_by;
    world.upstream.Script(CapacityThatLies());
    world.upstream.on_list = Busy;
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
    world.RunFor(absl::Minutes(1));
    world.clock.JumpWallTime(-wrong_by);
    world.upstream.skew = absl::ZeroDuration();
    world.RunFor(absl::Minutes(2));
    world.upstream.on_list = nullptr;
    world.RunFor(absl::Hours(3));
    EXPECT_EQ(world.State(job), kHeld);
    // Whoever did not see it being set knows it by the answer's Date.
    world.Restart();
    world.RunFor(absl::Hours(3));
    EXPECT_EQ(world.State(job), kHeld);
    EXPECT_EQ(world.upstream.posts().size(), 1u);
  }
}

// Two refusals whose records read failed: the older one is no reason to doubt the newer.
TEST(Absence, FailedRecordsOfEarlierAttemptsHoldNobodyUp) {
  WorldOptions options;
  options.settings.reconcile.visibility = absl::Seconds(30);
  SteppedWorld world(options);
  for (int i = 0; i < 2; ++i) {
    PostScript refused = CapacityThatLies();
    refused.leaves->course = {{absl::ZeroDuration(), "failed"}};
    world.upstream.Script(refused);
  }
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

// How long the upstream keeps records is not known: what it has forgotten is not absent.
TEST(Absence, AListThatMayHaveForgottenProvesNothing) {
  SteppedWorld world;
  world.upstream.Script(CapacityThatLies());
  const std::string job = world.Submit("a");
  world.upstream.on_list = Busy;
  ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
  world.Stop();
  world.clock.Advance(absl::Hours(24 * 10));
  world.upstream.on_list = nullptr;
  const std::string record = world.upstream.records().front().id;
  world.upstream.Find(record)->listed = world.upstream.Find(record)->found_by_id = false;
  world.Start();
  world.RunFor(absl::Hours(3));
  EXPECT_EQ(world.State(job), kHeld);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
  // Records from before it show that the list goes back so far, and still it is not there.
  for (const int days : {12, 11}) {
    FakeRecord older;
    older.payload.prompt = "somebody else's";
    older.created_at = world.clock.Now() - absl::Hours(24 * days);
    world.upstream.AddRecord(older);
  }
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Absence, ANamedRecordThatIsListedAsFailedIsBelieved) {
  SteppedWorld world;
  PostScript named = CapacityThatLies();
  named.names_id = true;
  named.leaves->found_by_id = false;
  named.leaves->course = {{absl::ZeroDuration(), "failed"}};
  world.upstream.Script(named);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(Absence, ANamedRecordThatIsListedIsNotGone) {
  SteppedWorld world;
  PostScript named = CapacityThatLies();
  named.names_id = true;
  named.leaves->found_by_id = false;
  named.leaves->created_at = world.clock.Now() - absl::Minutes(10);
  world.upstream.Script(named);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  world.RunFor(absl::Hours(2));
  EXPECT_EQ(world.State(job), kHeld);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

// The record of a job that is purged would be nobody's, and that of an equal one in doubt.
TEST(Absence, AnEqualJobsRecordStaysItsOwnBeyondTheRetention) {
  WorldOptions options;
  options.settings.retention.jobs = absl::Hours(3);
  options.settings.retention.request_ids = absl::Hours(10);
  SteppedWorld world(options);
  const std::string done = world.Submit("same");
  ASSERT_TRUE(world.RunToEnd(done));
  const std::string other = world.Submit("another");
  ASSERT_TRUE(world.RunToEnd(other));
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string lost = world.Submit("same");
  ASSERT_TRUE(world.RunToState(lost, kHeld)) << JobStateName(world.State(lost));
  world.RunFor(absl::Hours(12));
  EXPECT_EQ(world.State(lost), kHeld);
  EXPECT_EQ(world.State(done), kSucceeded);
  EXPECT_TRUE(absl::IsNotFound(world.store().View(other).status())) << "it is not kept";
}

// A page that is too much to be read whole is not asked for again for ever.
TEST(Absence, APageThatCannotBeReadIsReadRecordByRecord) {
  SteppedWorld world;
  world.upstream.on_list = [](const ListQuery& query) -> std::optional<ListResult> {
    if (query.limit == 1) return std::nullopt;
    ListResult broken;
    broken.failure = ReadFailure::kBroken;
    broken.http_status = 200;
    return broken;
  };
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

}  // namespace
}  // namespace lumaedit
