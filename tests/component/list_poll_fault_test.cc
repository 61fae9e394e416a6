// Pages of the list that fail, hang, leave something out or belong to another key: nobody is left
// behind.
#include "tests/component/list_poll_world.h"

namespace lumaedit {
namespace {

using Record = ListedUpstream::Record;

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

// The upstream fails at every page that holds it.
TEST_F(ListPoll, ARecordThatFailsItsPageStopsNoWalk) {
  // Amid what would be one page.
  for (int i = 0; i < 430; ++i) AddJob(absl::Minutes(31));
  list_.records.push_back({.id = "poison"});
  for (int i = 0; i < 400; ++i) AddJob(absl::Minutes(31));
  list_.on_list = [&](const ListQuery& query) -> std::optional<ListResult> {
    if (query.offset > 430 || query.offset + query.limit <= 430) return std::nullopt;
    ListResult result;
    result.failure = ReadFailure::kBusy;
    result.http_status = 500;
    return result;
  };
  Start();
  world_.RunFor(absl::Minutes(10));
  list_.Forget();
  world_.RunFor(absl::Minutes(1));
  // Once as one of a hundred, then in halves down to itself; no page is planned across it.
  EXPECT_LE(world_.log.Count("list_failed"), 10);
  // In two rounds.
  EXPECT_LE(list_.gets(), 20);
  EXPECT_GE(list_.lists(), 16);
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
  // It was one moment's: larger pages come again.
  list_.on_list = nullptr;
  world_.RunFor(absl::Minutes(41));
  list_.Forget();
  world_.RunFor(absl::Minutes(1));
  EXPECT_LE(list_.requests.size(), 20u);
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

TEST_F(ListPoll, WhatIsNotFoundByIdAndNamedBehindItsEchoIsFoundInTheList) {
  for (int i = 0; i < 60; ++i) AddJob();
  AddJob(absl::Minutes(5), 200'000);
  list_.records.back().by_id = false;
  list_.records.back().echo_first = true;
  AddStrangers(300, 8'000);
  Start();
  EXPECT_LE(RunToAllTold(), absl::Seconds(30));
}

// Each ends a page, and none of them may hold up the search.
TEST_F(ListPoll, WhatIsNotFoundByIdIsFoundBehindManyFatOnes) {
  for (const bool echo_first : {false, true}) {
    SCOPED_TRACE(echo_first);
    Clear();
    for (int i = 0; i < 30; ++i) {
      AddStrangers(1, 5'000'000);
      list_.records.back().echo_first = echo_first;
    }
    list_.records.push_back({.id = "poison", .unreadable = true});
    AddStrangers(20);
    AddJob();
    list_.records.back().by_id = false;
    AddStrangers(20);
    Start();
    EXPECT_LE(RunToAllTold(), absl::Minutes(3));
  }
}

TEST_F(ListPoll, WhatIsNotFoundByIdIsFoundBehindARecordThatFailsItsPage) {
  for (const int poison : {3, 150}) {
    SCOPED_TRACE(poison);
    Clear();
    AddStrangers(200);
    AddJob();
    list_.records.back().by_id = false;
    AddStrangers(100);
    list_.on_list = [poison](const ListQuery& query) -> std::optional<ListResult> {
      if (query.offset > poison || query.offset + query.limit <= poison) return std::nullopt;
      ListResult result;
      result.failure = ReadFailure::kBusy;
      result.http_status = 500;
      return result;
    };
    Start();
    EXPECT_LE(RunToAllTold(), absl::Minutes(2));
    // It is known now where it stands.
    list_.Forget();
    world_.RunFor(absl::Minutes(2));
    EXPECT_LE(LongestGap(world_.clock.Uptime() - absl::Minutes(2)), absl::Seconds(11.5));
  }
}

// The answer by itself fails: that is no reason to look elsewhere.
TEST_F(ListPoll, WhatIsNotFoundByIdIsReadAgainWhereItStands) {
  AddStrangers(300);
  AddJob(absl::Minutes(5), 5'000'000);
  list_.records.back().by_id = false;
  list_.records.back().word = "success";
  AddStrangers(3000);
  int failures = 0;
  list_.on_list = [&](const ListQuery& query) -> std::optional<ListResult> {
    if (query.limit > 1 || ++failures > 2) return std::nullopt;
    ListResult result;
    result.failure = ReadFailure::kBusy;
    result.http_status = 503;
    return result;
  };
  Start();
  ASSERT_TRUE(world_.RunUntil([&] { return failures == 2; }, absl::Minutes(2)));
  EXPECT_TRUE(world_.RunUntil([&] { return world_.log.Count("job_update_failed") == 1; },
                              absl::Seconds(25)));
}

// It is final, so what it says is read by itself; meanwhile the list has moved.
TEST_F(ListPoll, WhatIsNotFoundByIdAndMovesMeanwhileIsReadWhereItIs) {
  AddStrangers(5);
  AddJob(absl::Minutes(5), 5'000'000);
  list_.records.back().by_id = false;
  list_.records.back().word = "success";
  AddStrangers(300);
  list_.meanwhile = [&] {
    if (list_.lists() == 1 && list_.records[0].id != "pushed") {
      list_.records.push_front({.id = "pushed", .bytes = 3'000'000});
    }
  };
  Start();
  // Judged once: the update fails here, as the store has no such job.
  ASSERT_TRUE(world_.RunUntil([&] { return world_.log.Count("job_update_failed") == 1; },
                              absl::Seconds(5)));
  EXPECT_LE(list_.lists(), 4);
}

TEST_F(ListPoll, WhatShowsLateAtTheHeadIsFoundThere) {
  AddStrangers(3000);
  live_.push_back({"late", absl::ZeroDuration()});
  Start();
  world_.RunFor(absl::Minutes(2));
  list_.records.push_front({.id = "late", .by_id = false});
  EXPECT_TRUE(world_.RunUntil([&] { return Told() == 1; }, absl::Seconds(12)));
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
    Clear();
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

}  // namespace
}  // namespace lumaedit
