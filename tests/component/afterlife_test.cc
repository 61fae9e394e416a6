// What happens to jobs that are over: late outcomes, and the end of their keeping (protocol.md
// sections 1 and 5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using testing::ElementsAre;

WorldOptions ShortDeadline() {
  WorldOptions options;
  options.settings.poll.job_deadline = absl::Minutes(1);
  return options;
}

// Expires after a minute, and then goes on upstream as the course says.
std::string Expired(SteppedWorld& world, std::vector<RecordStep> course) {
  world.upstream.usual.record.course = std::move(course);
  const std::string job = world.Submit("a");
  EXPECT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kExpired);
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kUncertain);
  return job;
}

const std::vector<RecordStep> kForever = {{absl::ZeroDuration(), "processing"}};

bool IsSettled(SteppedWorld& world, const std::string& job) {
  return IsSet(world.Get(job).late_outcome_time);
}

TEST(LateOutcome, IsFoundByItselfAndIsNoTransition) {
  SteppedWorld world(ShortDeadline());
  const std::string job =
      Expired(world, {{absl::ZeroDuration(), "processing"}, {absl::Minutes(15), "success"}});
  const auto watcher = world.Watch(job);
  ASSERT_TRUE(world.RunUntil([&] { return IsSettled(world, job); }, absl::Minutes(30)));
  const Job settled = world.Get(job);
  EXPECT_EQ(settled.state, kExpired);
  ASSERT_TRUE(settled.outcome.has_value());
  EXPECT_FALSE(settled.outcome->video_url.empty());
  EXPECT_EQ(settled.charge.state, ChargeState::kIncurred);
  EXPECT_EQ(settled.late_outcome_time, absl::FromUnixMicros(absl::ToUnixMicros(world.clock.Now())));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kProcessing, kExpired));
  EXPECT_EQ(watcher->seen().size(), 4u);
  // What is known is not asked again.
  const int gets = world.upstream.gets();
  world.RunFor(absl::Hours(2));
  EXPECT_EQ(world.upstream.gets(), gets);
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

TEST(LateOutcome, AFailureGivesTheMoneyBack) {
  SteppedWorld world(ShortDeadline());
  const std::string job =
      Expired(world, {{absl::ZeroDuration(), "processing"}, {absl::Minutes(5), "failed"}});
  ASSERT_TRUE(world.RunUntil([&] { return IsSettled(world, job); }, absl::Minutes(30)));
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kReleased);
  EXPECT_EQ(world.Path(job).back(), kExpired);
}

TEST(LateOutcome, ManyAtOnceKeepNoRunningJobWaiting) {
  SteppedWorld world(ShortDeadline());
  world.upstream.usual.record.course = kForever;
  constexpr std::size_t kLate = 600;  // 30 seconds of the cap
  std::vector<std::string> late;
  for (std::size_t i = 0; i < kLate; ++i) late.push_back(world.Submit("a" + std::to_string(i)));
  for (const std::string& job : late) {
    ASSERT_TRUE(world.RunToEnd(job));
    ASSERT_EQ(world.State(job), kExpired);
  }
  world.upstream.usual.record.course = {{absl::ZeroDuration(), "processing"},
                                        {absl::Seconds(4), "success"}};
  const std::string job = world.Submit("b");
  ASSERT_TRUE(world.RunToState(job, kProcessing));
  // Now all of them are due.
  world.Restart();
  const std::size_t before = world.upstream.get_times().size();
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_LE(world.Get(job).end_time - world.Get(job).accept_time, absl::Seconds(8));
  world.RunFor(absl::Minutes(2));
  EXPECT_GE(world.upstream.get_times().size() - before, kLate);
}

TEST(LateOutcome, IsAskedEveryTenMinutesForADay) {
  SteppedWorld world(ShortDeadline());
  const std::string job = Expired(world, kForever);
  const absl::Duration ended = world.clock.Uptime();
  const std::size_t before = world.upstream.get_times().size();
  world.RunFor(absl::Hours(26));
  const auto& times = world.upstream.get_times();
  ASSERT_EQ(times.size() - before, 144u);
  for (std::size_t i = before; i < times.size(); ++i) {
    const absl::Duration due = ended + absl::Minutes(10) * static_cast<int>(i - before + 1);
    EXPECT_NEAR(absl::ToDoubleSeconds(times[i] - due), 0, 1) << i;
  }
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kUncertain);
}

TEST(LateOutcome, ADayIsADayOverARestartAndAJumpOfTheClock) {
  SteppedWorld world(ShortDeadline());
  const std::string job = Expired(world, kForever);
  world.RunFor(absl::Hours(10));
  const std::size_t before = world.upstream.get_times().size();
  world.Restart();
  world.RunFor(absl::Minutes(1));
  EXPECT_EQ(world.upstream.get_times().size(), before + 1) << "after a restart it is due";
  world.clock.JumpWallTime(absl::Hours(20));
  world.RunFor(absl::Hours(13));
  EXPECT_GE(world.upstream.get_times().size(), before + 70) << "a jump ends no search early";
  world.RunFor(absl::Hours(2));
  const std::size_t after = world.upstream.get_times().size();
  world.RunFor(absl::Hours(2));
  EXPECT_EQ(world.upstream.get_times().size(), after);
}

TEST(LateOutcome, ARecordThatOnlyTheListShowsCounts) {
  SteppedWorld world(ShortDeadline());
  const std::string job =
      Expired(world, {{absl::ZeroDuration(), "processing"}, {absl::Minutes(5), "success"}});
  world.upstream.Find(world.Get(job).upstream_id)->found_by_id = false;
  ASSERT_TRUE(world.RunUntil([&] { return IsSettled(world, job); }, absl::Minutes(30)));
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kIncurred);
}

TEST(LateOutcome, ManyShareTheCap) {
  WorldOptions options = ShortDeadline();
  options.settings.poll.requests_per_second = 2;
  SteppedWorld world(options);
  world.upstream.usual.record.course = kForever;
  for (int i = 0; i < 100; ++i) world.Submit("a" + std::to_string(i));
  world.RunFor(absl::Minutes(8));
  const std::size_t before = world.upstream.get_times().size();
  world.RunFor(absl::Minutes(10));
  const auto& times = world.upstream.get_times();
  EXPECT_GE(times.size() - before, 100u);
  for (std::size_t i = before + 1; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], absl::Milliseconds(499)) << i;
  }
}

// --- Retention ---------------------------------------------------------------------------------

WorldOptions ShortRetention() {
  WorldOptions options;
  options.settings.retention.jobs = absl::Hours(3);
  options.settings.retention.request_ids = absl::Hours(10);
  return options;
}

absl::Status Submitted(SteppedWorld& world, SubmitRequest request) {
  absl::Status status = absl::UnknownError("no answer");
  world.service().Submit(
      std::move(request),
      Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) { status = answer.status(); }));
  return status;
}

absl::StatusOr<JobSnapshot> Seen(SteppedWorld& world, const std::string& job) {
  absl::StatusOr<JobSnapshot> seen = absl::UnknownError("no answer");
  world.service().Get("caller-1", job, Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
                        seen = std::move(answer);
                      }));
  return seen;
}

TEST(Retention, WhatIsOverGoesAndItsRequestIdStays) {
  SteppedWorld world(ShortRetention());
  const SubmitRequest request = world.Request("a");
  const std::string job = world.Submit(request);
  ASSERT_TRUE(world.RunToEnd(job));
  const absl::Time end = world.Get(job).end_time;
  EXPECT_TRUE(
      world.RunUntil([&] { return absl::IsNotFound(Seen(world, job).status()); }, absl::Hours(4)));
  EXPECT_GE(world.clock.Now(), end + absl::Hours(3));
  EXPECT_LE(world.clock.Now(), end + absl::Hours(3) + absl::Minutes(11));

  const absl::Status repeat = Submitted(world, request);
  EXPECT_EQ(repeat.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(repeat, ErrorReason::kRequestIdRetired)) << repeat;
  world.RunFor(absl::Hours(1));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
  // Once it is forgotten it is free.
  world.RunFor(absl::Hours(8));
  EXPECT_TRUE(Submitted(world, request).ok());
}

TEST(Retention, ShowsWhenAJobGoes) {
  SteppedWorld world(ShortRetention());
  const std::string job = world.Submit("a");
  EXPECT_FALSE(IsSet(Seen(world, job)->purge_time));
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(Seen(world, job)->purge_time, world.Get(job).end_time + absl::Hours(3));
}

TEST(Retention, LiveAndHeldJobsStayHoweverOld) {
  WorldOptions options = ShortRetention();
  options.settings.poll.job_deadline = absl::Hours(100);
  SteppedWorld world(options);
  PostScript lost;
  lost.kind = PostScript::Kind::kLoseRequest;
  world.upstream.ScriptFor("held", lost);
  world.upstream.usual.record.course = kForever;
  const std::string held = world.Submit("held");
  const std::string live = world.Submit("live");
  world.RunFor(absl::Hours(12));
  EXPECT_EQ(world.State(held), kHeld);
  EXPECT_EQ(world.State(live), kProcessing);
}

TEST(Retention, AClockThatWasSetForwardRemovesNothingForADay) {
  SteppedWorld world(ShortRetention());
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  world.RunFor(absl::Minutes(15));
  world.clock.JumpWallTime(absl::Hours(24 * 365));
  world.RunFor(absl::Hours(2));
  EXPECT_TRUE(Seen(world, job).ok());
  EXPECT_EQ(world.log.Count("clock_jumped"), 1);
  world.clock.JumpWallTime(-absl::Hours(24 * 365));
  world.RunFor(absl::Minutes(30));
  EXPECT_TRUE(Seen(world, job).ok());
  world.RunFor(absl::Hours(26));
  EXPECT_TRUE(absl::IsNotFound(Seen(world, job).status()));
}

// The clock was set while the gateway was off: nothing saw it jump.
TEST(Retention, AStartWithAClockFarAheadForgetsNothing) {
  SteppedWorld world(ShortRetention());
  const SubmitRequest request = world.Request("a");
  const std::string job = world.Submit(request);
  ASSERT_TRUE(world.RunToEnd(job));
  world.RunFor(absl::Hours(5));
  ASSERT_TRUE(absl::IsNotFound(Seen(world, job).status()));
  world.Stop();
  world.clock.JumpWallTime(absl::Hours(24 * 730));
  world.upstream.skew = -absl::Hours(24 * 730);
  world.Start();
  // Another restart does not make it right, nor does a job of that time.
  const std::string young = world.Submit("b");
  ASSERT_TRUE(world.RunToEnd(young));
  world.RunFor(absl::Minutes(30));
  world.Restart();
  world.RunFor(absl::Hours(20));
  EXPECT_EQ(world.log.Count("clock_ahead"), 2);
  EXPECT_TRUE(Seen(world, young).ok());
  const absl::Status repeat = Submitted(world, request);
  EXPECT_TRUE(HasReason(repeat, ErrorReason::kRequestIdRetired)) << repeat;
  EXPECT_EQ(world.upstream.accepted().size(), 2u);
  // A day is what whoever set it has to notice.
  world.RunFor(absl::Hours(5));
  EXPECT_TRUE(absl::IsNotFound(Seen(world, young).status()));
}

// A gateway that was off for days: its clock is right, and the upstream says so.
TEST(Retention, ALongTimeOffPutsNothingOffOnceTheUpstreamAgrees) {
  SteppedWorld world(ShortRetention());
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  world.Stop();
  world.clock.Advance(absl::Hours(60));
  world.Start();
  world.RunFor(absl::Minutes(15));
  EXPECT_TRUE(Seen(world, job).ok()) << "not asked yet";
  ASSERT_TRUE(world.RunToEnd(world.Submit("b")));
  world.RunFor(absl::Minutes(15));
  EXPECT_TRUE(absl::IsNotFound(Seen(world, job).status()));
}

// Idle for days, then restarted: the clock was believed all the time.
TEST(Retention, AnIdleWeekendPutsNothingOff) {
  SteppedWorld world(ShortRetention());
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  world.RunFor(absl::Hours(2));
  for (int day = 0; day < 3; ++day) {
    world.Restart();
    world.RunFor(absl::Hours(24));
  }
  EXPECT_TRUE(absl::IsNotFound(Seen(world, job).status()));
  EXPECT_EQ(world.log.Count("clock_ahead"), 0);
}

TEST(Retention, ManyGoInBatches) {
  WorldOptions options = ShortRetention();
  SteppedWorld world(options);
  for (int i = 0; i < 230; ++i) {
    world.upstream.usual.upload = absl::Hours(1);
    EXPECT_EQ(world.Cancel(world.Submit("a" + std::to_string(i))), CancelResult::kPrevented);
  }
  world.RunFor(absl::Hours(3) + absl::Minutes(11));
  const auto left = world.store().List("caller-1", {}, std::nullopt, 10);
  ASSERT_TRUE(left.ok());
  EXPECT_TRUE(left->jobs.empty());
  EXPECT_EQ(world.log.Count("jobs_purged"), 1);
}

}  // namespace
}  // namespace lumaedit
