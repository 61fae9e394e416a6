#include "server/rpc/watch_token.h"

#include <gtest/gtest.h>

#include <limits>

namespace lumaedit {
namespace {

const std::string kStore = "5e3d5f0e-1d0a-4a43-9f0a-7b1c8a6d2e4f";

TEST(WatchToken, ComesBackAsItWas) {
  for (std::int64_t change : {std::int64_t{0}, std::int64_t{1}, std::int64_t{70'000},
                              std::numeric_limits<std::int64_t>::max()}) {
    const std::string hash = WatchFilterHash("caller", {});
    const auto read = ReadWatchToken(MakeWatchToken({kStore, change}, hash));
    ASSERT_TRUE(read.has_value()) << change;
    EXPECT_EQ(read->position.store_id, kStore);
    EXPECT_EQ(read->position.change, change);
    EXPECT_EQ(read->filter_hash, hash);
  }
}

TEST(WatchToken, IsUrlSafe) {
  const std::string token = MakeWatchToken({kStore, 0x3f3f3f3f}, kAnyFilter);
  EXPECT_EQ(token.find_first_of("+/= "), std::string::npos);
}

TEST(WatchToken, FiltersDoNotShareAHash) {
  const std::vector<std::pair<std::string, JobsFilter>> filters = {
      {"caller", {}},
      {"other", {}},
      {"caller", {.job_ids = {"a"}, .labels = {}}},
      {"caller", {.job_ids = {"a", "b"}, .labels = {}}},
      {"caller", {.job_ids = {"a;1:b"}, .labels = {}}},
      {"caller", {.job_ids = {}, .labels = {{"a", "b"}}}},
      {"caller", {.job_ids = {}, .labels = {{"a", "bc"}}}},
      {"caller", {.job_ids = {}, .labels = {{"ab", "c"}}}}};
  std::vector<std::string> hashes = {std::string(kAnyFilter)};
  for (const auto& [caller, filter] : filters) {
    const std::string hash = WatchFilterHash(caller, filter);
    EXPECT_EQ(hash.size(), kAnyFilter.size());
    for (const std::string& other : hashes) EXPECT_NE(hash, other);
    hashes.push_back(hash);
  }
}

TEST(WatchToken, WhatWasChangedIsMalformed) {
  const std::string good = MakeWatchToken({kStore, 41}, kAnyFilter);
  EXPECT_FALSE(ReadWatchToken("").has_value());
  EXPECT_FALSE(ReadWatchToken(good + "A").has_value());
  EXPECT_FALSE(ReadWatchToken(std::string(300, 'A')).has_value());
  for (std::size_t length = 0; length + 1 < good.size(); ++length) {
    EXPECT_FALSE(ReadWatchToken(good.substr(0, length)).has_value()) << length;
  }
  // The last character may carry bits that stand for nothing.
  for (std::size_t i = 0; i + 1 < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(ReadWatchToken(bad).has_value()) << i;
  }
}

}  // namespace
}  // namespace lumaedit
