// Asking about running jobs: protocol.md sections 1 and 7.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using testing::ElementsAre;

PostScript Course(std::vector<RecordStep> course) {
  PostScript script;
  script.record.course = std::move(course);
  return script;
}

const std::vector<RecordStep> kForever = {{absl::ZeroDuration(), "queued"}};

TEST(Poll, Pace) {
  SteppedWorld world;
  world.upstream.usual = Course(kForever);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kQueued));
  world.RunFor(absl::Minutes(40));
  const auto& times = world.upstream.get_times();
  ASSERT_GT(times.size(), 100u);
  const absl::Duration accepted = world.upstream.posts()[0].time;
  EXPECT_NEAR(absl::ToDoubleSeconds(times[0] - accepted), 2, 0.2);
  double interval = 2;
  for (std::size_t i = 1; i < 20; ++i) {
    interval = std::min(interval * 1.3, 10.0);
    EXPECT_NEAR(absl::ToDoubleSeconds(times[i] - times[i - 1]), interval, interval * 0.11) << i;
  }
  EXPECT_NEAR(absl::ToDoubleSeconds(times.back() - times[times.size() - 2]), 30, 3.3);
}

TEST(Poll, WatchersCostTheUpstreamNothing) {
  using Times = std::vector<absl::Duration>;
  std::vector<std::pair<Times, Times>> asked;
  for (const int watchers : {0, 1, 10000}) {
    SteppedWorld world;
    // Served by pages of the list, but for the last one in the end.
    world.upstream.ScriptFor("39", Course({{absl::ZeroDuration(), "queued"},
                                           {absl::Seconds(50), "processing"},
                                           {absl::Seconds(80), "success"}}));
    std::vector<std::string> jobs;
    for (int i = 0; i < 40; ++i) jobs.push_back(world.Submit(std::to_string(i)));
    std::vector<std::shared_ptr<ReadingWatcher>> all;
    for (int i = 0; i < watchers; ++i) all.push_back(world.Watch(jobs.back()));
    ASSERT_TRUE(world.RunToEnd(jobs.back()));
    world.RunFor(absl::Minutes(1));
    asked.emplace_back(world.upstream.get_times(), world.upstream.list_times());
    for (const auto& watcher : all) ASSERT_EQ(watcher->seen().size(), 5u);
  }
  EXPECT_FALSE(asked[0].first.empty());
  EXPECT_FALSE(asked[0].second.empty());
  EXPECT_THAT(asked, testing::Each(asked[0]));
}

TEST(Poll, TheCapIsForAll) {
  SteppedWorld world;
  world.upstream.usual = Course(kForever);
  for (int i = 0; i < 300; ++i) world.Submit("a" + std::to_string(i));
  world.RunFor(absl::Minutes(2));
  std::vector<absl::Duration> times = world.upstream.get_times();
  const auto& lists = world.upstream.list_times();
  times.insert(times.end(), lists.begin(), lists.end());
  std::sort(times.begin(), times.end());
  EXPECT_FALSE(lists.empty());
  for (std::size_t i = 0; i + 21 < times.size(); ++i) {
    ASSERT_GE(times[i + 21] - times[i], absl::Milliseconds(1000));
  }
}

TEST(Poll, NotTooManyInFlight) {
  WorldOptions options;
  options.settings.poll.in_flight = 2;
  options.settings.poll.requests_per_second = 1e6;
  SteppedWorld world(options);
  int in_flight = 0;
  world.upstream.usual = Course(kForever);
  world.upstream.get_takes = absl::Seconds(10);
  world.upstream.list_takes = absl::Seconds(10);
  for (int i = 0; i < 30; ++i) world.Submit("a" + std::to_string(i));
  world.RunFor(absl::Seconds(8));
  in_flight = world.upstream.gets() + world.upstream.lists();  // none has ended
  EXPECT_EQ(in_flight, 2);
}

TEST(Poll, AJumpIsOneTransition) {
  SteppedWorld world;
  world.upstream.Script(Course({{absl::ZeroDuration(), "queued"}, {absl::Seconds(1), "success"}}));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kQueued, kSucceeded));
  const Transition last = world.Transitions(job).back();
  EXPECT_TRUE(IsSet(last.not_before));
  EXPECT_LE(last.not_before, last.not_after);
}

TEST(Poll, UnknownWordsAndStepsBackChangeTheWordOnly) {
  SteppedWorld world;
  world.upstream.Script(Course({{absl::ZeroDuration(), "processing"},
                                {absl::Seconds(5), "queued"},
                                {absl::Seconds(10), "meditating"},
                                {absl::Seconds(15), ""},
                                {absl::Seconds(20), "PROCESSING"},
                                {absl::Seconds(40), "Success"}}));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunUntil([&] { return world.Get(job).upstream_status == "meditating"; },
                             absl::Minutes(1)));
  EXPECT_EQ(world.State(job), kProcessing);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kProcessing, kSucceeded));
}

TEST(Poll, ASuccessWithoutAVideoIsAskedAgainForAMinute) {
  for (const bool comes : {true, false}) {
    SteppedWorld world;
    std::vector<RecordStep> course = {{absl::ZeroDuration(), "queued"},
                                      {absl::Seconds(3), "success", false}};
    if (comes) course.push_back({absl::Seconds(40), "success", true});
    world.upstream.Script(Course(course));
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    if (comes) {
      EXPECT_EQ(world.State(job), kSucceeded);
      continue;
    }
    EXPECT_EQ(world.State(job), kFailed);
    EXPECT_EQ(world.Get(job).error->reason, ErrorReason::kUpstreamOutputMissing);
    EXPECT_EQ(world.Get(job).charge.state, ChargeState::kUncertain);
    EXPECT_GE(world.Get(job).end_time - world.Get(job).accept_time, absl::Seconds(63));
    EXPECT_LE(world.Get(job).end_time - world.Get(job).accept_time, absl::Seconds(80));
  }
}

// Also after a restart, where what has passed before is told by wall time.
TEST(Poll, AJumpOfTheWallClockDoesNotEndTheWaitForAVideo) {
  for (const bool restarts : {false, true}) {
    SteppedWorld world;
    world.upstream.Script(Course({{absl::ZeroDuration(), "processing"},
                                  {absl::Seconds(3), "success", false},
                                  {absl::Seconds(40), "success", true}}));
    const std::string job = world.Submit("a");
    world.RunFor(absl::Seconds(10));
    ASSERT_EQ(world.Get(job).upstream_status, "success");
    if (restarts) world.Restart();
    world.clock.JumpWallTime(absl::Hours(1));
    world.upstream.skew = -absl::Hours(1);
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded) << restarts;
  }
}

TEST(Poll, ASuccessWithoutAVideoOnThePost) {
  SteppedWorld world;
  world.upstream.Script(Course({{absl::ZeroDuration(), "success", false}}));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kProcessing, kFailed));
}

TEST(Poll, NotFoundByIdButListed) {
  SteppedWorld world;
  world.upstream.usual.record.found_by_id = false;
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Poll, MissingFromBothExpiresUncertain) {
  SteppedWorld world;
  world.upstream.usual.record.found_by_id = false;
  world.upstream.usual.record.listed = false;
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job, absl::Hours(5)));
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kQueued, kExpired));
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kUncertain);
  EXPECT_NEAR(absl::ToDoubleHours(world.Get(job).end_time - world.Get(job).accept_time), 4, 0.02);
}

TEST(Poll, TheDeadlineEndsAJobThatHangs) {
  SteppedWorld world;
  world.upstream.usual = Course(kForever);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job, absl::Hours(5)));
  EXPECT_EQ(world.State(job), kExpired);
}

TEST(Poll, AJumpOfTheWallClockEndsNothing) {
  SteppedWorld world;
  world.upstream.sends_date = false;
  world.upstream.usual = Course(kForever);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kQueued));
  world.clock.JumpWallTime(absl::Hours(10));
  world.RunFor(absl::Minutes(5));
  EXPECT_EQ(world.State(job), kQueued);
}

TEST(Poll, ReadsThatFailAreAskedAgain) {
  for (const ReadFailure failure :
       {ReadFailure::kKeyRefused, ReadFailure::kBusy, ReadFailure::kBroken,
        ReadFailure::kUnreadable, ReadFailure::kOther}) {
    SteppedWorld world;
    int left = 5;
    world.upstream.on_get = [&](const std::string&) -> std::optional<GetResult> {
      if (left-- <= 0) return std::nullopt;
      GetResult result;
      result.failure = failure;
      result.retry_after = failure == ReadFailure::kBusy ? absl::Seconds(20) : absl::Duration();
      return result;
    };
    const std::string job = world.Submit("a");
    ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.State(job), kSucceeded);
    if (failure == ReadFailure::kBusy) {
      EXPECT_GE(world.upstream.get_times()[1] - world.upstream.get_times()[0], absl::Seconds(20));
    }
  }
}

TEST(Poll, AnotherJobsRecordIsNotBelieved) {
  SteppedWorld world;
  world.upstream.usual = Course(kForever);
  world.upstream.on_get = [](const std::string&) -> std::optional<GetResult> {
    GetResult result;
    result.record.id = "somebody-else";
    result.record.status = UpstreamStatus::kFailed;
    result.record.status_word = "failed";
    return result;
  };
  const std::string job = world.Submit("a");
  world.RunFor(absl::Minutes(1));
  EXPECT_EQ(world.State(job), kQueued);
  EXPECT_GE(world.log.Count("poll_answered_other_id"), 1);
}

TEST(Poll, AnotherAccountsKeyEndsNothing) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kQueued));
  world.upstream.account = "account-2";
  world.upstream.Find("record-1")->found_by_id = false;
  world.upstream.Find("record-1")->listed = false;
  world.RunFor(absl::Hours(6));
  EXPECT_EQ(world.State(job), kQueued);
  EXPECT_TRUE(world.Get(job).unreachable);
  EXPECT_EQ(world.log.Count("job_unreachable"), 1);
  world.upstream.Find("record-1")->found_by_id = true;
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_FALSE(world.Get(job).unreachable);
}

TEST(Poll, StalledIsShownAndCleared) {
  SteppedWorld world;
  world.upstream.usual =
      Course({{absl::ZeroDuration(), "queued"}, {absl::Minutes(20), "processing"}});
  const std::string job = world.Submit("a");
  world.RunFor(absl::Minutes(14));
  EXPECT_FALSE(world.board.Get(job).stalled);
  world.RunFor(absl::Minutes(3));
  EXPECT_TRUE(world.board.Get(job).stalled);
  ASSERT_TRUE(world.RunToState(job, kProcessing));
  world.RunFor(absl::Minutes(1));
  EXPECT_FALSE(world.board.Get(job).stalled);
}

}  // namespace
}  // namespace lumaedit
