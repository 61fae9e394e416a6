#include "server/job/waiting_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

using testing::ElementsAre;

constexpr absl::Duration kNow = absl::Seconds(1000);

WaitingJob Of(const std::string& caller, int created, absl::Duration not_before = kNow) {
  return {.caller = caller,
          .create_time = absl::FromUnixSeconds(1'800'000'000 + created),
          .not_before = not_before};
}

std::vector<std::string> TakeAll(WaitingQueue& queue, absl::Duration now = kNow) {
  std::vector<std::string> order;
  while (auto next = queue.Take(now)) order.push_back(next->first);
  return order;
}

std::vector<std::string> Shown(WaitingQueue& queue) {
  std::vector<std::string> order;
  queue.ForEachInOrder(kNow, [&](const std::string& id, const WaitingJob&, int ahead) {
    EXPECT_EQ(ahead, static_cast<int>(order.size()));
    order.push_back(id);
  });
  return order;
}

TEST(WaitingQueue, TheOrderShownIsTheOrderTaken) {
  WaitingQueue queue;
  for (int i = 0; i < 4; ++i) queue.Put(absl::StrCat("a", i), Of("caller-a", i));
  for (int i = 0; i < 2; ++i) queue.Put(absl::StrCat("b", i), Of("caller-b", 10 + i));
  queue.Put("c0", Of("caller-c", 20));
  EXPECT_EQ(queue.Take(kNow)->first, "a0");
  queue.Put("later", Of("caller-a", -1, kNow + absl::Seconds(5)));
  EXPECT_THAT(Shown(queue), ElementsAre("b0", "c0", "a1", "b1", "a2", "a3", "later"));
  EXPECT_THAT(TakeAll(queue), ElementsAre("b0", "c0", "a1", "b1", "a2", "a3"));
  EXPECT_EQ(queue.NextChange(), kNow + absl::Seconds(5));
  // Once due it is the oldest of its caller.
  queue.Put("a9", Of("caller-a", 30));
  EXPECT_THAT(TakeAll(queue, kNow + absl::Seconds(5)), ElementsAre("later", "a9"));
  EXPECT_EQ(queue.NextChange(), absl::InfiniteDuration());
}

TEST(WaitingQueue, ABlockedJobIsKeptButNotTaken) {
  WaitingQueue queue;
  queue.Put("a", Of("caller-a", 0));
  queue.Block("a");
  EXPECT_FALSE(queue.Take(kNow));
  EXPECT_THAT(Shown(queue), ElementsAre());
  queue.Put("a", Of("caller-a", 0));
  EXPECT_FALSE(queue.Take(kNow));
  queue.Unblock("a");
  EXPECT_EQ(queue.Take(kNow)->first, "a");
  // One that is not here may be blocked before it comes.
  queue.Block("b");
  queue.Put("b", Of("caller-a", 0));
  EXPECT_FALSE(queue.HasDue(kNow));
  queue.Remove("b");
  queue.Unblock("b");
  EXPECT_EQ(queue.size(), 0u);
}

TEST(WaitingQueue, OverdueJobsComeOutWhetherDueOrNot) {
  WaitingQueue queue;
  WaitingJob due = Of("caller-a", 0);
  due.start_deadline = kNow + absl::Seconds(1);
  WaitingJob later = Of("caller-a", 1, kNow + absl::Hours(1));
  later.start_deadline = kNow + absl::Seconds(2);
  queue.Put("due", due);
  queue.Put("later", later);
  queue.Put("patient", Of("caller-a", 2, kNow + absl::Hours(1)));
  EXPECT_TRUE(queue.HasDue(kNow));
  EXPECT_EQ(queue.NextChange(), kNow + absl::Seconds(1));
  EXPECT_THAT(queue.TakeOverdue(kNow), ElementsAre());
  EXPECT_THAT(queue.TakeOverdue(kNow + absl::Seconds(2)), ElementsAre("due", "later"));
  EXPECT_EQ(queue.size(), 1u);
}

// Fifty thousand jobs of a thousand callers: a scan a job would take minutes.
TEST(WaitingQueue, HoldsWithManyJobs) {
  const auto begin = std::chrono::steady_clock::now();
  WaitingQueue queue;
  constexpr int kJobs = 50'000;
  for (int i = 0; i < kJobs; ++i) {
    WaitingJob job = Of(absl::StrCat("caller-", i % 1000), i);
    if (i % 2 == 0) job.not_before = kNow + absl::Seconds(i);
    job.start_deadline = kNow + absl::Hours(100);
    queue.Put(absl::StrCat("job-", i), job);
  }
  int taken = 0;
  absl::Duration now = kNow;
  while (queue.size() > 0) {
    queue.TakeOverdue(now);
    queue.NextChange();
    if (queue.Take(now)) {
      ++taken;
    } else {
      now = queue.NextChange();
    }
  }
  EXPECT_EQ(taken, kJobs);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace lumaedit
