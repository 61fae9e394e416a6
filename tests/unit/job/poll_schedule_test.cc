// When a running job is asked about: protocol.md section 7.
#include "server/job/poll_schedule.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

constexpr absl::Duration kStart = absl::Seconds(1000);

Job Running(const std::string& id) {
  Job job;
  job.id = id;
  job.upstream_id = "record-" + id;
  job.state = JobState::kQueued;
  return job;
}

// The times of a job's polls, each `lag` after it was due.
std::vector<double> Polls(PollSchedule& schedule, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    PolledJob* job = schedule.First();
    times.push_back(absl::ToDoubleSeconds(job->due - kStart));
    schedule.Ask(*job);
    schedule.AskAgain(*job, job->due, absl::ZeroDuration(), 0);
  }
  return times;
}

TEST(PollSchedule, GrowsFromTwoSecondsToTen) {
  PollSchedule schedule{PollSettings{}};
  EXPECT_TRUE(schedule.Add(Running("a"), kStart, absl::ZeroDuration(), false));
  EXPECT_FALSE(schedule.Add(Running("a"), kStart, absl::ZeroDuration(), false));
  const std::vector<double> times = Polls(schedule, 300);
  EXPECT_NEAR(times[0], 2, 0.001);
  EXPECT_NEAR(times[1], 4.6, 0.001);
  EXPECT_NEAR(times[2], 7.98, 0.001);
  EXPECT_NEAR(times[20] - times[19], 10, 0.001);
  EXPECT_NEAR(times[299] - times[298], 30, 0.001);
}

TEST(PollSchedule, TheSwingIsATenth) {
  for (const double swing : {-1.0, 1.0}) {
    PollSchedule schedule{PollSettings{}};
    schedule.Add(Running("a"), kStart, absl::Minutes(10), true);
    PolledJob* job = schedule.First();
    schedule.AskAgain(*job, kStart, absl::ZeroDuration(), swing);
    EXPECT_NEAR(absl::ToDoubleSeconds(job->due - kStart), 10 + swing, 0.001);
    schedule.AskAgain(*job, kStart, absl::Minutes(1), swing);
    EXPECT_EQ(job->due, kStart + absl::Minutes(1));
  }
}

TEST(PollSchedule, WhoIsTakenOverGoesOnAtThePaceOfItsAge) {
  PollSchedule schedule{PollSettings{}};
  schedule.Add(Running("new"), kStart, absl::Seconds(5), true);
  schedule.Add(Running("old"), kStart, absl::Minutes(5), true);
  schedule.Add(Running("older"), kStart, absl::Hours(1), true);
  EXPECT_EQ(schedule.Find("new")->due, kStart);
  EXPECT_LT(schedule.Find("new")->interval, absl::Seconds(5));
  EXPECT_EQ(schedule.Find("old")->interval, absl::Seconds(10));
  EXPECT_EQ(schedule.Find("older")->interval, absl::Seconds(30));
}

// A page shows a job although it is not due: its next poll comes no later than it would have.
TEST(PollSchedule, AskedMoreOftenIsNeverAskedLessOftenLater) {
  PollSchedule schedule{PollSettings{}};
  schedule.Add(Running("a"), kStart, absl::ZeroDuration(), false);
  PolledJob* job = schedule.First();
  for (int i = 1; i <= 20; ++i) {
    schedule.Ask(*job);
    schedule.AskAgain(*job, kStart + i * absl::Seconds(1), absl::ZeroDuration(), 0);
    EXPECT_LE(job->due - (kStart + i * absl::Seconds(1)), absl::Seconds(2));
  }
  EXPECT_EQ(job->interval, absl::Seconds(2));
  // Asked a little early, as the first of a page makes the others: that counts.
  schedule.AskAgain(*job, job->due - absl::Milliseconds(300), absl::ZeroDuration(), 0);
  EXPECT_GT(job->interval, absl::Seconds(2));
}

TEST(PollSchedule, TheDeadlineIsAPollToo) {
  PollSettings settings;
  settings.job_deadline = absl::Minutes(1);
  PollSchedule schedule{settings};
  schedule.Add(Running("a"), kStart, absl::Seconds(55), true);
  PolledJob* job = schedule.First();
  schedule.AskAgain(*job, kStart, absl::ZeroDuration(), 0);
  EXPECT_EQ(job->due, kStart + absl::Seconds(5));
  EXPECT_EQ(job->deadline, kStart + absl::Seconds(5));
}

TEST(PollSchedule, InTheOrderInWhichTheyAreDue) {
  PollSchedule schedule{PollSettings{}};
  schedule.Add(Running("b"), kStart, absl::ZeroDuration(), false);
  schedule.Add(Running("a"), kStart + absl::Seconds(1), absl::ZeroDuration(), false);
  PolledJob* first = schedule.First();
  EXPECT_EQ(first->job.id, "b");
  schedule.Ask(*first);
  EXPECT_FALSE(PollSchedule::IsNearlyDue(*first, kStart + absl::Minutes(1)));
  PolledJob* second = schedule.First();
  EXPECT_EQ(second->job.id, "a");
  EXPECT_FALSE(PollSchedule::IsNearlyDue(*second, kStart + absl::Seconds(1)));
  EXPECT_TRUE(PollSchedule::IsNearlyDue(*second, kStart + absl::Seconds(2)));
  schedule.PutAside(*second);
  EXPECT_EQ(schedule.First(), nullptr);
  schedule.PutBack(*first);
  EXPECT_EQ(schedule.First(), first);
  schedule.Ask(*first);
  EXPECT_TRUE(schedule.has_aside());
  schedule.PutAllBack();
  EXPECT_EQ(schedule.First(), second);
  EXPECT_EQ(schedule.FindRecord("record-a"), second);
  EXPECT_TRUE(schedule.Remove("a"));
  EXPECT_FALSE(schedule.Remove("a"));
  EXPECT_EQ(schedule.FindRecord("record-a"), nullptr);
  EXPECT_EQ(schedule.First(), nullptr);
}

}  // namespace
}  // namespace lumaedit
