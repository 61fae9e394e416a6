// Contract of JobStore: what those who run the gateway see of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/job_store_suite.h"

namespace lumaedit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST_P(JobStoreSuite, AnEmptyStoreHasAnEmptyOverview) {
  const auto overview = store().Overview(10);
  ASSERT_TRUE(overview.ok()) << overview.status();
  EXPECT_THAT(overview->live, IsEmpty());
  EXPECT_THAT(overview->held, IsEmpty());
  EXPECT_EQ(overview->held_usd_micros, 0);
  EXPECT_EQ(overview->uncertain_usd_micros, 0);
}

TEST_P(JobStoreSuite, TheNewestStateTimeIsThatOfTheLastTransition) {
  EXPECT_EQ(*store().NewestStateTime(), absl::InfinitePast());
  const Job first = Inserted();
  clock().Advance(absl::Minutes(1));
  Inserted(kOtherCaller);
  EXPECT_EQ(*store().NewestStateTime(), Now());
  clock().Advance(absl::Minutes(1));
  ASSERT_TRUE(Move(first.id, nullptr, JobState::kCancelled).ok());
  EXPECT_EQ(*store().NewestStateTime(), Now());
}

TEST_P(JobStoreSuite, TheOverviewCountsLiveJobsAndMoneyInDoubtOverAllCallers) {
  const Lease lease = Acquired();
  Inserted(kCaller);
  Inserted(kOtherCaller);
  Accepted(lease, Inserted(), "up-1");
  const auto in_doubt = [&](const Job& job, JobState state) {
    Sealed(lease, job);
    const auto uncertain = [](Job& j) {
      j.charge.state = ChargeState::kUncertain;
      j.candidate_upstream_ids = {"up-7", "up-8"};
    };
    ASSERT_TRUE(Move(job.id, &lease, JobState::kUnconfirmed, uncertain).ok());
    if (state == JobState::kUnconfirmed) return;
    ASSERT_TRUE(Move(job.id, &lease, state, uncertain).ok());
  };
  in_doubt(Inserted(), JobState::kUnconfirmed);
  const Job first = Inserted(kOtherCaller);
  in_doubt(first, JobState::kHeld);
  clock().Advance(absl::Minutes(5));
  const Job second = Inserted();
  in_doubt(second, JobState::kHeld);
  // Abandoned: final, and its money stays in doubt.
  in_doubt(Inserted(), JobState::kFailed);

  const auto overview = store().Overview(10);
  ASSERT_TRUE(overview.ok()) << overview.status();
  EXPECT_THAT(overview->live,
              ElementsAre(Pair(JobState::kPending, 2), Pair(JobState::kUnconfirmed, 1),
                          Pair(JobState::kHeld, 2), Pair(JobState::kQueued, 1)));
  EXPECT_EQ(overview->held_usd_micros, 2 * kPrice);
  EXPECT_EQ(overview->uncertain_usd_micros, 4 * kPrice);
  ASSERT_EQ(overview->held.size(), 2u);
  const HeldJob& held = overview->held.front();
  EXPECT_EQ(held.id, first.id) << "the longest held";
  EXPECT_EQ(held.caller, kOtherCaller);
  EXPECT_LT(held.since, overview->held.back().since);
  EXPECT_EQ(held.amount, (PriceRange{kPrice, kPrice}));
  EXPECT_THAT(held.candidate_upstream_ids, ElementsAre("up-7", "up-8"));

  const auto short_list = store().Overview(1);
  ASSERT_TRUE(short_list.ok()) << short_list.status();
  ASSERT_EQ(short_list->held.size(), 1u);
  EXPECT_EQ(short_list->held_usd_micros, 2 * kPrice) << "counted beyond the list";
}

}  // namespace
}  // namespace lumaedit
