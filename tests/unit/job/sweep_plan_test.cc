// Which page serves the most.
#include "server/job/sweep_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

using testing::ElementsAre;

class SweepPlanTest : public testing::Test {
 protected:
  // One record at each offset, small ones of jobs that are useful.
  void Put(std::set<int> jobs, std::set<int> fat = {}, int length = 1000) {
    std::vector<UpstreamRecord> page(static_cast<std::size_t>(length));
    for (int i = 0; i < length; ++i) {
      UpstreamRecord& record = page[static_cast<std::size_t>(i)];
      record.id = absl::StrCat("r", i);
      record.bytes = 1000;
      if (fat.contains(i)) record.is_partial = true;
      if (jobs.contains(i)) map_.Track(record.id, false);
    }
    map_.Learn(0, page);
  }
  std::optional<SweepPage> Plan(int offset) {
    return PlanPage(map_, absl::StrCat("r", offset),
                    [this](const std::string& id) { return !idle_.contains(id); });
  }

  ListMap map_;
  std::set<std::string> idle_;
};

TEST_F(SweepPlanTest, HoldsTheJobAndTheMostOthers) {
  Put({10, 50, 60, 70, 120, 130, 300});
  const auto page = Plan(60);
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->offset, 50);
  EXPECT_EQ(page->limit, 81);
  EXPECT_THAT(page->serves, ElementsAre("r50", "r60", "r70", "r120", "r130"));
}

TEST_F(SweepPlanTest, OneAloneIsAskedById) {
  Put({10, 500});
  EXPECT_FALSE(Plan(500).has_value());
  idle_ = {"r10"};
  EXPECT_FALSE(Plan(10).has_value());
}

TEST_F(SweepPlanTest, TwoFarApartAreNotWorthTheBytes) {
  Put({10, 100, 300, 350});
  EXPECT_FALSE(Plan(10).has_value());
  EXPECT_EQ(Plan(300)->limit, 51);
}

TEST_F(SweepPlanTest, WhoIsNotDueCountsForNothing) {
  Put({100, 101, 102, 150});
  idle_ = {"r101", "r102"};
  EXPECT_THAT(Plan(100)->serves, ElementsAre("r100", "r150"));
}

TEST_F(SweepPlanTest, StaysBetweenFatRecords) {
  Put({90, 100, 110, 120, 130}, {95, 115});
  const auto page = Plan(100);
  ASSERT_TRUE(page.has_value());
  EXPECT_THAT(page->serves, ElementsAre("r100", "r110"));
  EXPECT_GT(page->offset, 95);
  EXPECT_LT(page->offset + page->limit, 116);
}

TEST_F(SweepPlanTest, AFatJobMayEndThePage) {
  Put({100, 110, 115, 120}, {115});
  EXPECT_THAT(Plan(100)->serves, ElementsAre("r100", "r110", "r115"));
  EXPECT_THAT(Plan(115)->serves, ElementsAre("r100", "r110", "r115"));
  EXPECT_FALSE(Plan(120).has_value());
}

TEST_F(SweepPlanTest, AFatJobIsNotWorthALongerPage) {
  Put({100, 110, 130, 140, 144}, {130, 144});
  EXPECT_THAT(Plan(100)->serves, ElementsAre("r100", "r110"));
  EXPECT_FALSE(Plan(130).has_value());
  EXPECT_THAT(Plan(140)->serves, ElementsAre("r140", "r144"));
  idle_ = {"r140"};
  EXPECT_FALSE(Plan(144).has_value());
}

TEST_F(SweepPlanTest, NeverLongerThanAPageOrBeforeTheHead) {
  std::set<int> all;
  for (int i = 0; i < 1000; ++i) all.insert(i);
  Put(all);
  for (const int at : {0, 1, 50, 99, 100, 555, 999}) {
    const auto page = Plan(at);
    ASSERT_TRUE(page.has_value());
    EXPECT_EQ(page->serves.size(), 100U) << at;
    EXPECT_LE(page->limit, 100);
    EXPECT_GE(page->offset, 0);
    EXPECT_THAT(page->serves, testing::Contains(absl::StrCat("r", at)));
  }
}

TEST_F(SweepPlanTest, LeavesRoomWhereTheListMoves) {
  Put({200, 210});
  // Three strangers came at the head.
  std::vector<UpstreamRecord> moved(1);
  moved[0].id = "r200";
  map_.Learn(203, moved);
  const auto page = Plan(210);
  ASSERT_TRUE(page.has_value());
  EXPECT_LT(page->offset, 203);
  EXPECT_GT(page->offset + page->limit, 214);
}

TEST_F(SweepPlanTest, WhoHasNoPlaceHasNoPage) {
  map_.Track("r1", false);
  EXPECT_FALSE(Plan(1).has_value());
}

}  // namespace
}  // namespace lumaedit
