// Many running jobs are served by pages of the list: protocol.md section 7. The poller alone,
// against a list; what becomes of what it sees is poll_test's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <set>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "server/job/poller.h"
#include "tests/fakes/listed_upstream.h"
#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using Record = ListedUpstream::Record;

constexpr std::int64_t kVideo = 5'000'000;

// Goes on between two looks, as time does. Who does nothing but look at it is stopped.
class RestlessClock final : public Clock {
 public:
  explicit RestlessClock(ManualClock& clock) : clock_(clock) {}
  absl::Time Now() const override { return clock_.Now(); }
  absl::Duration Uptime() const override {
    if (++looks_ == kMostLooks) throw std::runtime_error("too many looks at the clock");
    return clock_.Uptime() + absl::Nanoseconds(looks_);
  }
  void Arm(boost::asio::steady_timer& timer, absl::Duration delay) override {
    clock_.Arm(timer, delay);
  }
  void Disarm(boost::asio::steady_timer& timer) override { clock_.Disarm(timer); }

 private:
  static constexpr std::int64_t kMostLooks = 100'000;

  ManualClock& clock_;
  mutable std::int64_t looks_ = 0;
};

class ListPoll : public testing::Test {
 protected:
  ~ListPoll() override { Stop(); }

  // The poller with what is in the list; a restart has just been.
  void Start() {
    EngineDeps deps = world_.engine().context().deps();
    context_.emplace(EngineDeps{.store = deps.store,
                                .sources = deps.sources,
                                .upstream = list_,
                                .hub = deps.hub,
                                .board = deps.board,
                                .store_worker = deps.store_worker,
                                .clock = *clock_,
                                .random = deps.random,
                                .log = deps.log,
                                .executor = deps.executor},
                     settings_);
    context_->SetRouter([](const Job&) {});
    poller_.emplace(*context_);
    for (const auto& [id, age] : live_) poller_->Add(JobOf(id, age), /*at_once=*/true);
    begun_ = world_.clock.Uptime();
    context_->tasks().Spawn("poller", poller_->Run());
  }

  void Stop() {
    if (!poller_) return;
    context_->Drain();
    poller_->Wake();
    world_.RunUntil([&] { return context_->tasks().size() == 0; }, absl::Minutes(1));
    poller_.reset();
    context_.reset();
  }

  Job JobOf(const std::string& id, absl::Duration age) {
    Job job;
    job.id = absl::StrCat("job of ", id);
    job.state = JobState::kProcessing;
    job.upstream_id = id;
    job.upstream_account = "account-1";
    job.upstream_status = "processing";
    job.accept_time = world_.clock.Now() - age;
    return job;
  }

  // At the far end of the list: a running job's record, or somebody else's.
  void AddJob(absl::Duration age = absl::Minutes(5), std::int64_t bytes = 1000) {
    const std::string id = absl::StrCat("r", list_.records.size());
    list_.records.push_back({.id = id, .bytes = bytes});
    live_.push_back({id, age});
  }
  void AddStrangers(int count, std::int64_t bytes = 1000) {
    for (int i = 0; i < count; ++i) {
      list_.records.push_back(
          {.id = absl::StrCat("s", list_.records.size()), .word = "success", .bytes = bytes});
    }
  }
  void Accept() {
    const std::string id = absl::StrCat("new", ++accepted_);
    list_.records.push_front({.id = id});
    live_.push_back({id, absl::ZeroDuration()});
    poller_->Add(JobOf(id, absl::ZeroDuration()), /*at_once=*/false);
  }

  std::size_t Told() const {
    return static_cast<std::size_t>(std::count_if(live_.begin(), live_.end(), [&](const auto& job) {
      return list_.told.contains(job.first);
    }));
  }
  // Until the state of every running job was told; how long that took.
  absl::Duration RunToAllTold(absl::Duration limit = absl::Minutes(5)) {
    EXPECT_TRUE(world_.RunUntil([&] { return Told() == live_.size(); }, limit)) << Told();
    return world_.clock.Uptime() - begun_;
  }
  // The longest time for which a running job was not asked about, since `from`.
  absl::Duration LongestGap(absl::Duration from) {
    absl::Duration longest = absl::ZeroDuration();
    const absl::Duration end = world_.clock.Uptime();
    for (const auto& [id, age] : live_) {
      absl::Duration last = from;
      for (const absl::Duration time : list_.told[id]) {
        if (time > from) longest = std::max(longest, time - std::exchange(last, time));
      }
      longest = std::max(longest, end - last);
    }
    return longest;
  }
  void ExpectTheCap(double a_second = 20) const {
    const auto window = static_cast<std::size_t>(a_second) + 1;
    std::vector<absl::Duration> times;
    for (const auto& request : list_.requests) times.push_back(request.time);
    std::sort(times.begin(), times.end());
    for (std::size_t i = 0; i + window < times.size(); ++i) {
      ASSERT_GE(times[i + window] - times[i], absl::Seconds(1));
    }
  }

  SteppedWorld world_;
  RestlessClock restless_{world_.clock};
  Clock* clock_ = &world_.clock;  // the poller's
  ListedUpstream list_{world_.io.get_executor(), world_.clock};
  EngineSettings settings_;
  std::vector<std::pair<std::string, absl::Duration>> live_;  // upstream id, age at the start
  std::optional<EngineContext> context_;
  std::optional<Poller> poller_;
  absl::Duration begun_;
  int accepted_ = 0;
};

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
  for (int i = 0; i < 400; ++i) {
    // Every twentieth holds a video: half of those are jobs, half are strangers.
    if (i % 40 == 7) {
      AddJob(absl::Minutes(5), kVideo);
    } else if (i % 40 == 27) {
      AddStrangers(1, kVideo);
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
  EXPECT_LE(list_.bytes(), single * 1000 * 3 / 2 + 20 * 16 * 20 * 16384);
}

TEST_F(ListPoll, ARecordThatCannotBeReadStopsNoSweep) {
  for (int i = 0; i < 100; ++i) AddJob();
  list_.records.push_back({.id = "poison", .unreadable = true});
  for (int i = 0; i < 100; ++i) AddJob();
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(5));
  world_.RunFor(absl::Seconds(30));
  list_.Forget();
  world_.RunFor(absl::Minutes(1));
  EXPECT_LE(LongestGap(world_.clock.Uptime() - absl::Minutes(1)), absl::Seconds(11.5));
  EXPECT_LE(list_.requests.size(), 40u);
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

TEST_F(ListPoll, AnEndThatTheListTellsWithoutItsVideoIsAskedById) {
  for (int i = 0; i < 60; ++i) AddJob();
  Start();
  RunToAllTold();
  ASSERT_EQ(list_.gets(), 0);
  list_.records[7].word = "success";
  list_.records[7].bare = true;
  ASSERT_TRUE(world_.RunUntil([&] { return list_.gets() > 0; }, absl::Seconds(25)));
  EXPECT_EQ(list_.requests.back().id, list_.records[7].id);
  // Only its own answer was judged: an update fails here, the store has no such job.
  EXPECT_EQ(world_.log.Count("job_update_failed"), 1);
}

TEST_F(ListPoll, AListThatHangsIsNotWaitedFor) {
  for (int i = 0; i < 200; ++i) AddJob();
  list_.list_takes = absl::Seconds(30);
  list_.on_list = [](const ListQuery&) -> std::optional<ListResult> {
    ListResult result;
    result.failure = ReadFailure::kBroken;
    return result;
  };
  Start();
  // 200 by their ids are 10 s under the cap.
  EXPECT_LE(RunToAllTold(), absl::Seconds(16));
  const absl::Duration from = world_.clock.Uptime();
  world_.RunFor(absl::Minutes(5));
  EXPECT_LE(LongestGap(from), absl::Seconds(31));
}

TEST_F(ListPoll, APageThatIsRefusedIsAskedForSmaller) {
  for (int i = 0; i < 300; ++i) AddJob();
  list_.on_list = [](const ListQuery& query) -> std::optional<ListResult> {
    if (query.limit <= 12) return std::nullopt;
    ListResult result;
    result.failure = ReadFailure::kUnreadable;
    result.http_status = 422;
    return result;
  };
  Start();
  RunToAllTold();
  world_.RunFor(absl::Minutes(1));
  list_.Forget();
  world_.RunFor(absl::Minutes(1));
  // 30 pages a round, where single polls would be 300.
  EXPECT_LE(list_.gets(), 20);
  EXPECT_LE(list_.requests.size(), 300u);
}

TEST_F(ListPoll, WhatIsNotFoundByIdIsLookedForToTheEndOfTheList) {
  for (int i = 0; i < 3; ++i) {
    AddStrangers(300);
    AddJob();
    list_.records.back().by_id = false;
  }
  Start();
  EXPECT_LE(RunToAllTold(), absl::Minutes(3));
  ExpectTheCap();
}

TEST_F(ListPoll, WhatShowsLateAtTheHeadIsFoundThere) {
  AddStrangers(3000);
  live_.push_back({"late", absl::ZeroDuration()});
  Start();
  world_.RunFor(absl::Minutes(2));
  list_.records.push_front({.id = "late", .by_id = false});
  EXPECT_TRUE(world_.RunUntil([&] { return Told() == 1; }, absl::Seconds(12)));
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

TEST_F(ListPoll, WithoutHasMoreAnEmptyPageIsTheEnd) {
  for (int i = 0; i < 250; ++i) AddJob();
  live_.push_back({"deleted", absl::Minutes(5)});
  list_.says_has_more = false;
  Start();
  world_.RunFor(absl::Minutes(2));
  EXPECT_EQ(Told(), 250u);
  EXPECT_EQ(world_.log.Count("list_failed"), 0);
}

TEST_F(ListPoll, PagesThatFailGiveWayToSinglePolls) {
  struct Row {
    ReadFailure failure;
    int http_status;
    absl::Duration retry_after;
  };
  for (const Row& row : {Row{ReadFailure::kBusy, 429, absl::Seconds(20)},
                         Row{ReadFailure::kBusy, 503, absl::ZeroDuration()},
                         Row{ReadFailure::kUnreadable, 200, absl::ZeroDuration()},
                         Row{ReadFailure::kBroken, 0, absl::ZeroDuration()},
                         Row{ReadFailure::kKeyRefused, 401, absl::ZeroDuration()}}) {
    SCOPED_TRACE(row.http_status);
    Stop();
    list_.records.clear();
    live_.clear();
    list_.on_list = nullptr;
    for (int i = 0; i < 150; ++i) AddJob();
    Start();
    RunToAllTold();
    world_.RunFor(absl::Minutes(1));
    list_.on_list = [&](const ListQuery&) -> std::optional<ListResult> {
      ListResult result;
      result.failure = row.failure;
      result.http_status = row.http_status;
      result.retry_after = row.retry_after;
      return result;
    };
    const absl::Duration from = world_.clock.Uptime();
    list_.Forget();
    world_.RunFor(absl::Minutes(2));
    // 150 jobs by their ids at 10 s are 15 requests a second.
    EXPECT_LE(LongestGap(from), absl::Seconds(22));
    ExpectTheCap();
    EXPECT_LE(list_.lists(), row.retry_after > absl::ZeroDuration() ? 6 : 8);
    list_.on_list = nullptr;
    world_.RunFor(absl::Minutes(2));
    list_.Forget();
    world_.RunFor(absl::Minutes(1));
    EXPECT_LE(list_.requests.size(), 30u);
  }
}

// The key is looked at once for each of the 100 jobs, before they are judged.
TEST_F(ListPoll, ABugInTheMiddleOfAPageLeavesNobodyBehind) {
  for (const bool is_walk : {true, false}) {
    for (const int looks : {1, 60, 99}) {
      SCOPED_TRACE(absl::StrCat(is_walk ? "walk, " : "page, ", looks));
      Stop();
      list_.records.clear();
      live_.clear();
      list_.Forget();
      for (int i = 0; i < 100; ++i) AddJob();
      Start();
      if (!is_walk) {
        RunToAllTold();
        world_.RunFor(absl::Seconds(30));
      }
      const int bugs = world_.log.Count("task_failed");
      int left = 0;
      list_.meanwhile = [&] { left = looks; };
      list_.on_account = [&] {
        if (left == 0 || --left > 0) return;
        list_.meanwhile = nullptr;
        throw std::runtime_error("a bug");
      };
      ASSERT_TRUE(world_.RunUntil([&] { return world_.log.Count("task_failed") > bugs; },
                                  absl::Minutes(1)));
      list_.on_account = nullptr;
      world_.RunFor(absl::Seconds(30));
      const absl::Duration from = world_.clock.Uptime();
      list_.Forget();
      world_.RunFor(absl::Minutes(1));
      EXPECT_EQ(Told(), live_.size());
      EXPECT_LE(LongestGap(from), absl::Seconds(40));
      EXPECT_EQ(world_.log.Count("task_failed"), bugs + 1);
    }
  }
}

TEST_F(ListPoll, WhatTheOldKeyReadIsNotApplied) {
  for (int i = 0; i < 60; ++i) AddJob();
  Start();
  RunToAllTold();
  world_.RunFor(absl::Seconds(30));
  // The list says that all have failed, and the key changes while a page is under way.
  for (Record& record : list_.records) record.word = "failed";
  list_.key = "account-2";
  list_.key = "account-1";
  const int before = world_.log.Count("job_update_failed");
  list_.meanwhile = [&] { list_.key = "account-2"; };
  list_.Forget();
  ASSERT_TRUE(world_.RunUntil([&] { return !list_.requests.empty(); }, absl::Minutes(1)));
  world_.Settle();
  ASSERT_TRUE(list_.requests.front().is_list);
  // A judgement would have been an update, which fails here: the store has no such job.
  EXPECT_EQ(world_.log.Count("job_update_failed"), before);
  EXPECT_EQ(world_.log.Count("upstream_account_learned"), 0);
  // Under another account's key nobody is looked for in the list.
  list_.Forget();
  world_.RunFor(absl::Minutes(1));
  EXPECT_EQ(list_.lists(), 0);
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
