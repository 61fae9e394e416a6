// Where records stand in the list, as pages show it.
#include "server/job/list_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lumaedit {
namespace {

using testing::Optional;

UpstreamRecord Small(const std::string& id) {
  UpstreamRecord record;
  record.id = id;
  record.bytes = 1000;
  return record;
}

UpstreamRecord Fat(const std::string& id) {
  UpstreamRecord record = Small(id);
  record.bytes = ListMap::kFatBytes + 1;
  record.is_partial = true;
  return record;
}

std::vector<UpstreamRecord> Page(std::initializer_list<const char*> ids) {
  std::vector<UpstreamRecord> page;
  for (const char* id : ids) page.push_back(Small(id));
  return page;
}

TEST(ListMap, LearnsWhereRecordsStand) {
  ListMap map;
  map.Track("a", false);
  map.Track("b", false);
  map.Track("gone", false);
  EXPECT_EQ(map.unplaced(), 3U);
  EXPECT_EQ(map.Learn(100, Page({"x", "a", "y", "b"})), 2);
  EXPECT_EQ(map.unplaced(), 1U);
  EXPECT_THAT(map.OffsetOf("a"), Optional(101));
  EXPECT_THAT(map.OffsetOf("b"), Optional(103));
  EXPECT_EQ(map.OffsetOf("gone"), std::nullopt);
  EXPECT_EQ(map.OffsetOf("x"), std::nullopt);
  const auto spots = map.Spots(0, 102);
  ASSERT_EQ(spots.size(), 1U);
  EXPECT_EQ(spots[0].id, "a");
}

TEST(ListMap, ANewRecordPushesTheOthersDown) {
  ListMap map;
  map.Track("a", false);
  map.Learn(10, Page({"a"}));
  map.Track("new", true);
  EXPECT_THAT(map.OffsetOf("new"), Optional(0));
  EXPECT_THAT(map.OffsetOf("a"), Optional(11));
}

TEST(ListMap, StrangersThatPushAreLearnedFromOnePage) {
  ListMap map;
  map.Track("a", false);
  map.Track("far", false);
  map.Learn(10, Page({"a"}));
  map.Learn(500, Page({"far"}));
  EXPECT_EQ(map.Slack(), 0);
  map.Learn(10, Page({"x", "y", "z", "a"}));
  EXPECT_THAT(map.OffsetOf("far"), Optional(503));
  EXPECT_GT(map.Slack(), 0);
}

TEST(ListMap, ADeletionMovesOnlyWhatIsBehindIt) {
  ListMap map;
  for (const char* id : {"a", "b", "c"}) map.Track(id, false);
  map.Learn(0, Page({"a"}));
  map.Learn(500, Page({"b", "c"}));
  map.Learn(499, Page({"b", "c"}));
  EXPECT_THAT(map.OffsetOf("a"), Optional(0));
  EXPECT_THAT(map.OffsetOf("c"), Optional(500));
}

TEST(ListMap, MostOfAPageOutvotesWhoMoved) {
  ListMap map;
  for (const char* id : {"a", "b", "c", "d"}) map.Track(id, false);
  map.Learn(0, Page({"a", "b", "c", "d"}));
  map.Learn(0, Page({"d", "a", "b", "c"}));
  EXPECT_THAT(map.OffsetOf("d"), Optional(0));
  EXPECT_THAT(map.OffsetOf("a"), Optional(1));
}

TEST(ListMap, FatRecordsAreKnownAndForgotten) {
  ListMap map;
  map.Learn(0, {Small("a"), Fat("f")});
  map.Learn(2, {Small("b"), Fat("")});
  EXPECT_TRUE(map.IsFat("f"));
  EXPECT_FALSE(map.IsFat("a"));
  EXPECT_THAT(map.FatBefore(3), Optional(1));
  EXPECT_EQ(map.FatBefore(1), std::nullopt);
  ASSERT_TRUE(map.FatFrom(1).has_value());
  EXPECT_EQ(map.FatFrom(1)->offset, 1);
  EXPECT_EQ(map.FatFrom(2)->offset, 3);
  EXPECT_FALSE(map.FatFrom(4).has_value());
  // It is gone: what is read there now says so.
  map.Learn(0, Page({"a", "b", "c", "d"}));
  EXPECT_FALSE(map.IsFat("f"));
  EXPECT_FALSE(map.FatFrom(0).has_value());
}

TEST(ListMap, PagesAreAsLongAsTwoMegabytes) {
  ListMap map;
  EXPECT_LT(map.PageLimit(), 100);
  map.Learn(0, Page({"a", "b"}));
  EXPECT_EQ(map.PageLimit(), 100);
  UpstreamRecord large = Small("c");
  large.bytes = 200'000;
  for (int i = 0; i < 2000; ++i) map.Learn(0, {large});
  EXPECT_NEAR(map.PageLimit(), 10, 1);
  // A fat one was not read to its end, so it says nothing about the usual.
  for (int i = 0; i < 100; ++i) map.Learn(0, {Fat("f")});
  EXPECT_NEAR(map.PageLimit(), 10, 1);
  map.LearnMost(4);
  EXPECT_EQ(map.PageLimit(), 4);
  map.LearnMost(6);
  EXPECT_EQ(map.PageLimit(), 4);
  map.LearnMore();
  EXPECT_EQ(map.PageLimit(), 8);
  map.LearnMore();
  EXPECT_NEAR(map.PageLimit(), 10, 1);
}

UpstreamRecord Sized(std::int64_t bytes) {
  UpstreamRecord record = Small("sized");
  record.bytes = bytes;
  return record;
}

TEST(ListMap, APageStopsInWhatIsManyTimesTheUsual) {
  ListMap map;
  EXPECT_EQ(map.StopBytes(), ListMap::kFatBytes);
  for (int i = 0; i < 100; ++i) map.Learn(0, {Sized(600)});
  EXPECT_EQ(map.StopBytes(), 16 * 1024);
  for (int i = 0; i < 3000; ++i) map.Learn(0, {Sized(5000)});
  EXPECT_NEAR(map.StopBytes(), 40'000, 1000);
  for (int i = 0; i < 3000; ++i) map.Learn(0, {Sized(100'000)});
  EXPECT_EQ(map.StopBytes(), ListMap::kFatBytes);
}

// Where the usual becomes longer than a page is read, none is read whole any more.
TEST(ListMap, WhatAPageStoppedInMovesWhereItStops) {
  ListMap map;
  const auto show = [&](std::int64_t bytes) {
    UpstreamRecord record = Sized(bytes);
    record.is_partial = bytes > map.StopBytes();
    // It comes in pieces.
    if (record.is_partial) record.bytes = map.StopBytes() + 8 * 1024;
    map.Learn(0, {record});
  };
  for (int i = 0; i < 1000; ++i) show(600);
  for (int i = 0; i < 4000; ++i) show(i % 20 == 0 ? 5'000'000 : 600);
  EXPECT_LE(map.StopBytes(), 32 * 1024);
  for (int i = 0; i < 4000; ++i) show(100'000);
  EXPECT_EQ(map.StopBytes(), ListMap::kFatBytes);
}

TEST(ListMap, WhatWasFatAmongTheSmallIsNotAmongTheLarge) {
  ListMap map;
  for (int i = 0; i < 1000; ++i) map.Learn(0, {Sized(600)});
  UpstreamRecord stopped = Small("f");
  stopped.bytes = 20'000;
  stopped.is_partial = true;
  map.Learn(500, {stopped});
  EXPECT_TRUE(map.IsFat("f"));
  for (int i = 0; i < 3000; ++i) map.Learn(0, {Sized(20'000)});
  EXPECT_FALSE(map.IsFat("f"));
  EXPECT_FALSE(map.FatFrom(0).has_value());
}

TEST(ListMap, AFatRecordStaysAsFatAsItWasSeen) {
  ListMap map;
  for (int i = 0; i < 1000; ++i) map.Learn(0, {Sized(600)});
  UpstreamRecord fat = Fat("f");
  map.Learn(500, {fat});
  // Known, so it was read for a moment only.
  fat.bytes = 16 * 1024;
  map.Learn(500, {fat});
  for (int i = 0; i < 3000; ++i) map.Learn(0, {Sized(8'000)});
  EXPECT_GT(map.StopBytes(), 50'000);
  EXPECT_TRUE(map.IsFat("f"));
}

TEST(ListMap, AGuessGivesWayToTheFatRecordInItsPlace) {
  ListMap map;
  map.Track("a", true);
  EXPECT_THAT(map.OffsetOf("a"), Optional(0));
  map.Learn(0, {Fat("f")});
  EXPECT_EQ(map.OffsetOf("a"), std::nullopt);
  map.Track("b", true);
  map.Learn(0, {Fat("b")});
  EXPECT_THAT(map.OffsetOf("b"), Optional(0));
}

TEST(ListMap, ForgetsWhatIsNotTracked) {
  ListMap map;
  map.Track("a", false);
  map.Learn(0, Page({"a"}));
  map.Displace("a");
  EXPECT_EQ(map.OffsetOf("a"), std::nullopt);
  EXPECT_EQ(map.unplaced(), 1U);
  map.Learn(7, Page({"a"}));
  map.Untrack("a");
  EXPECT_EQ(map.unplaced(), 0U);
  EXPECT_TRUE(map.Spots(0, 1000).empty());
  map.Track("b", true);
  map.Clear();
  EXPECT_FALSE(map.IsTracked("b"));
}

}  // namespace
}  // namespace lumaedit
