// Many running jobs are served by pages of the list: protocol.md section 7. The poller alone,
// against a list; what becomes of what it sees is poll_test's.
#include <set>

#include "tests/component/list_poll_world.h"

namespace lumaedit {
namespace {

constexpr std::int64_t kVideo = 5'000'000;

TEST_F(ListPoll, TenThousandAreSeenWithinTenSecondsOfARestart) {
  for (int i = 0; i < 10000; ++i) AddJob();
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(10));
  EXPECT_LE(list_.requests.size(), 130u);
  EXPECT_EQ(list_.gets(), 0);
  ExpectTheCap();
}

TEST_F(ListPoll, ASlowListTakesNoLonger) {
  for (int i = 0; i < 3000; ++i) AddJob();
  list_.takes = absl::Milliseconds(800);
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(10));
}

TEST_F(ListPoll, TimeThatGoesOnBetweenTwoLooksStopsNoWalk) {
  clock_ = &restless_;
  for (int i = 0; i < 1000; ++i) AddJob();
  list_.takes = absl::Milliseconds(800);
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(10));
  EXPECT_EQ(list_.gets(), 0);
}

TEST_F(ListPoll, NobodyIsAskedLessOftenThanByItself) {
  for (int i = 0; i < 600; ++i) {
    AddJob();
    AddStrangers(i % 3);
  }
  Start();
  RunToAllTold();
  const absl::Duration from = world_.clock.Uptime();
  list_.Forget();
  world_.RunFor(absl::Minutes(2));
  EXPECT_LE(LongestGap(from), absl::Seconds(11.5));
  // 600 jobs and as many strangers: 12 pages a round.
  EXPECT_LE(list_.requests.size(), 220u);
  EXPECT_EQ(list_.gets(), 0);
}

TEST_F(ListPoll, NewJobsAreAskedAtTheirOwnPace) {
  for (int i = 0; i < 100; ++i) AddJob();
  Start();
  RunToAllTold();
  world_.RunFor(absl::Seconds(30));
  for (int i = 0; i < 20; ++i) {
    Accept();
    const std::string id = live_.back().first;
    const absl::Duration accepted = world_.clock.Uptime();
    world_.RunFor(absl::Milliseconds(700));
    if (i < 10) continue;
    ASSERT_TRUE(world_.RunUntil([&] { return list_.told[id].size() >= 3; }, absl::Seconds(10)));
    const auto& told = list_.told[id];
    EXPECT_LE(told[0] - accepted, absl::Seconds(2.1));
    EXPECT_LE(told[1] - told[0], absl::Seconds(2.9));
    EXPECT_LE(told[2] - told[1], absl::Seconds(3.8));
  }
  EXPECT_LE(list_.gets(), 3);
}

TEST_F(ListPoll, FewJobsAreAskedById) {
  for (int i = 0; i < 19; ++i) AddJob();
  Start();
  world_.RunFor(absl::Minutes(1));
  EXPECT_EQ(list_.lists(), 0);
  EXPECT_EQ(Told(), 19u);
}

TEST_F(ListPoll, NeverWhereItIsTurnedOff) {
  settings_.poll.list_from = 0;
  for (int i = 0; i < 100; ++i) AddJob();
  Start();
  world_.RunFor(absl::Minutes(1));
  EXPECT_EQ(list_.lists(), 0);
}

TEST_F(ListPoll, FatRecordsStopNoSweep) {
  for (const std::int64_t fat : {kVideo, std::int64_t{60'000}}) {
    SCOPED_TRACE(fat);
    Clear();
    for (int i = 0; i < 400; ++i) {
      // Every twentieth is fat: half of those are jobs, half are strangers.
      if (i % 40 == 7) {
        AddJob(absl::Minutes(5), fat);
      } else if (i % 40 == 27) {
        AddStrangers(1, fat);
      } else {
        AddJob();
      }
    }
    Start();
    EXPECT_LE(RunToAllTold(), absl::Seconds(10));
    world_.RunFor(absl::Seconds(30));
    const absl::Duration from = world_.clock.Uptime();
    list_.Forget();
    world_.RunFor(absl::Minutes(2));
    EXPECT_LE(LongestGap(from), absl::Seconds(11.5));
    // A page ends at each: about 20 records, where single polls would be 390 a round.
    EXPECT_LE(list_.requests.size(), 390u * 12 / 8);
    std::int64_t single = 0;
    for (const auto& [id, times] : list_.told) single += static_cast<std::int64_t>(times.size());
    // Twenty fat ones, and for twelve rounds.
    const std::int64_t read = std::min<std::int64_t>(fat, 32 * 1024);
    EXPECT_LE(list_.bytes(), single * 1000 * 3 / 2 + std::int64_t{20} * 16 * read);
  }
}

TEST_F(ListPoll, AListOfStrangersStarvesNobody) {
  AddStrangers(5000);
  for (int i = 0; i < 30; ++i) AddJob();
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(10));
  world_.RunFor(absl::Minutes(3));
  // By now the walk has been there, and one page serves them all.
  const absl::Duration from = world_.clock.Uptime();
  list_.Forget();
  world_.RunFor(absl::Minutes(1));
  EXPECT_LE(LongestGap(from), absl::Seconds(11.5));
  EXPECT_EQ(list_.gets(), 0);
  EXPECT_LE(list_.requests.size(), 14u);
}

TEST_F(ListPoll, StuckJobsAtTheFarEndAreAskedById) {
  settings_.poll.job_deadline = absl::Hours(100);
  std::set<int> stuck;
  while (stuck.size() < 50) {
    stuck.insert(1500 + static_cast<int>(world_.random.Uniform() * 8500));
  }
  for (int i = 0; i < 10000; ++i) {
    const std::int64_t bytes = world_.random.Uniform() < 0.05 ? kVideo : 1000;
    if (i < 1500 ? i % 3 != 0 : stuck.contains(i)) {
      AddJob(i < 1500 ? absl::Minutes(10) : absl::Hours(30), bytes);
    } else {
      AddStrangers(1, bytes);
    }
  }
  ASSERT_EQ(live_.size(), 1050u);
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(20));
  world_.RunFor(absl::Minutes(1));
  const absl::Duration from = world_.clock.Uptime();
  list_.Forget();
  world_.RunFor(absl::Minutes(5));
  EXPECT_LE(LongestGap(from), absl::Seconds(34));
  // Polled each by itself: 1,000 every 10 s and 50 every 30 s, which the cap would not allow.
  const double single = 5 * (1000 * 6 + 50 * 2);
  RecordProperty("requests", static_cast<int>(list_.requests.size()));
  EXPECT_LE(static_cast<double>(list_.requests.size()), single / 11);
  EXPECT_LE(list_.gets(), 50 * 11 + 100);
  ExpectTheCap();
}

TEST_F(ListPoll, TheListMayChangeBetweenPages) {
  for (int i = 0; i < 500; ++i) {
    AddJob();
    AddStrangers(1);
  }
  Start();
  RunToAllTold();
  int steps = 0;
  list_.meanwhile = [&] {
    // Strangers come and go, and every now and then the order changes.
    ++steps;
    list_.records.push_front({.id = absl::StrCat("t", steps), .word = "success"});
    const auto at = static_cast<std::size_t>(world_.random.Uniform() * 900);
    if (list_.records[at].word == "success") {
      list_.records.erase(list_.records.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (steps % 50 == 0) {
      std::rotate(list_.records.begin(), list_.records.begin() + 37, list_.records.end());
    }
  };
  const absl::Duration from = world_.clock.Uptime();
  list_.Forget();
  world_.RunFor(absl::Minutes(3));
  EXPECT_LE(LongestGap(from), absl::Seconds(13));
  // 500 jobs polled each by itself would be 9,000.
  EXPECT_LE(list_.requests.size(), 1200u);
}

TEST_F(ListPoll, AnUpstreamWithSmallPages) {
  for (int i = 0; i < 300; ++i) AddJob();
  list_.most_records = 25;
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(5));
  world_.RunFor(absl::Seconds(30));
  list_.Forget();
  world_.RunFor(absl::Minutes(1));
  EXPECT_LE(list_.requests.size(), 100u);
  EXPECT_EQ(list_.gets(), 0);
}

TEST_F(ListPoll, TheCapBindsEverybodyAlike) {
  settings_.poll.requests_per_second = 2;
  for (int i = 0; i < 120; ++i) {
    AddJob();
    AddStrangers(49);  // a page shows two at most
  }
  Start();
  RunToAllTold();
  world_.RunFor(absl::Minutes(5));
  const absl::Duration from = world_.clock.Uptime();
  list_.Forget();
  world_.RunFor(absl::Minutes(10));
  ExpectTheCap(2);
  // 120 jobs, 20 requests in 10 s: each in its turn.
  std::size_t least = 1000;
  std::size_t most = 0;
  for (const auto& [id, age] : live_) {
    least = std::min(least, list_.told[id].size());
    most = std::max(most, list_.told[id].size());
  }
  EXPECT_GE(least, 9u);
  EXPECT_LE(most, 3 * least);
  EXPECT_LE(LongestGap(from), absl::Seconds(75));
}

}  // namespace
}  // namespace lumaedit
