#include "server/job/list_order.h"

#include <gtest/gtest.h>

#include "server/job/owned_id_cache.h"

namespace lumaedit {
namespace {

absl::Time At(int seconds) { return absl::FromUnixSeconds(1'800'000'000 + seconds); }
void AddExact(ListOrder& order, int seconds) { order.Add(At(seconds), At(seconds)); }

TEST(ListOrder, NewestFirstIsPastWhatIsOlder) {
  ListOrder order;
  AddExact(order, 100);
  AddExact(order, 100);
  AddExact(order, 50);
  EXPECT_TRUE(order.IsPast(At(60)));
  EXPECT_TRUE(order.IsPast(At(51)));
  // A record of 50.9 s reads 50.
  EXPECT_FALSE(order.IsPast(At(50)));
}

TEST(ListOrder, OldestFirstIsNeverPast) {
  ListOrder order;
  AddExact(order, 10);
  EXPECT_FALSE(order.IsPast(At(60)));
  AddExact(order, 10);
  EXPECT_FALSE(order.IsPast(At(60)));
  AddExact(order, 20);
  AddExact(order, 5);
  EXPECT_FALSE(order.IsPast(At(60)));
}

TEST(ListOrder, DoubtfulTimesProveOnlyWhatTheySurelySay) {
  ListOrder order;
  order.Add(At(90), At(110));
  order.Add(At(95), At(115));  // may be older or newer
  EXPECT_FALSE(order.IsPast(At(200)));
  order.Add(At(60), At(80));  // surely older
  EXPECT_TRUE(order.IsPast(At(81)));
  order.Add(At(85), At(99));  // surely newer than the one before
  EXPECT_FALSE(order.IsPast(At(200)));
}

TEST(OwnedIdCache, ForgetsTheOldest) {
  OwnedIdCache cache(2);
  cache.Add("a");
  cache.Add("b");
  cache.Add("a");
  EXPECT_TRUE(cache.Contains("a"));
  cache.Add("c");
  EXPECT_FALSE(cache.Contains("a"));
  EXPECT_TRUE(cache.Contains("b"));
  EXPECT_TRUE(cache.Contains("c"));
}

}  // namespace
}  // namespace lumaedit
