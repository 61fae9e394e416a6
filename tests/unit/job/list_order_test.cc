#include "server/job/list_order.h"

#include <gtest/gtest.h>

#include "server/job/owned_id_cache.h"

namespace lumaedit {
namespace {

absl::Time At(int seconds) { return absl::FromUnixSeconds(1'800'000'000 + seconds); }
void AddExact(ListOrder& order, int seconds) { order.Add(At(seconds), At(seconds)); }

TEST(ListOrder, NewestFirstIsReadBackToTheOldest) {
  ListOrder order;
  AddExact(order, 100);
  AddExact(order, 100);
  AddExact(order, 50);
  EXPECT_EQ(order.ReadBackTo(), At(50));
}

TEST(ListOrder, OldestFirstIsReadBackToNothing) {
  ListOrder order;
  AddExact(order, 10);
  EXPECT_EQ(order.ReadBackTo(), absl::InfiniteFuture());
  AddExact(order, 10);
  EXPECT_EQ(order.ReadBackTo(), absl::InfiniteFuture());
  AddExact(order, 20);
  AddExact(order, 5);
  EXPECT_EQ(order.ReadBackTo(), absl::InfiniteFuture());
}

TEST(ListOrder, DoubtfulTimesProveOnlyWhatTheySurelySay) {
  ListOrder order;
  order.Add(At(90), At(110));
  order.Add(At(95), At(115));  // may be older or newer
  EXPECT_EQ(order.ReadBackTo(), absl::InfiniteFuture());
  order.Add(At(60), At(80));  // surely older
  EXPECT_EQ(order.ReadBackTo(), At(80));
  order.Add(At(85), At(99));  // surely newer than the one before
  EXPECT_EQ(order.ReadBackTo(), absl::InfiniteFuture());
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
