#include "server/rpc/page_token.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

JobCursor Cursor() {
  return {absl::FromUnixMicros(1'790'000'000'123'456), "0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10"};
}

JobFilter Filter() {
  JobFilter filter;
  filter.states = {JobState::kHeld, JobState::kQueued};
  filter.labels = {{"team", "a"}};
  return filter;
}

TEST(PageToken, ComesBackAsItWas) {
  const auto cursor = ReadPageToken(MakePageToken(Cursor(), Filter()), Filter());
  ASSERT_TRUE(cursor.has_value());
  EXPECT_EQ(cursor->create_time, Cursor().create_time);
  EXPECT_EQ(cursor->id, Cursor().id);
}

TEST(PageToken, TheOrderOfStatesDoesNotMatter) {
  JobFilter other = Filter();
  other.states = {JobState::kQueued, JobState::kHeld, JobState::kHeld};
  EXPECT_TRUE(ReadPageToken(MakePageToken(Cursor(), Filter()), other).has_value());
}

TEST(PageToken, BelongsToOneFilter) {
  const std::string token = MakePageToken(Cursor(), Filter());
  JobFilter other = Filter();
  other.states.pop_back();
  EXPECT_FALSE(ReadPageToken(token, other).has_value());
  other = Filter();
  other.labels["team"] = "b";
  EXPECT_FALSE(ReadPageToken(token, other).has_value());
  other = Filter();
  other.created_after = absl::UnixEpoch();
  EXPECT_FALSE(ReadPageToken(token, other).has_value());
  other = Filter();
  other.created_before = absl::UnixEpoch();
  EXPECT_FALSE(ReadPageToken(token, other).has_value());
}

TEST(PageToken, RefusesWhatItDidNotMake) {
  const std::string token = MakePageToken(Cursor(), {});
  for (std::size_t i = 0; i < token.size(); ++i) {
    EXPECT_FALSE(ReadPageToken(token.substr(0, i), {}).has_value()) << i;
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    const auto read = ReadPageToken(changed, {});
    // The last character holds spare bits, which base64 readers may ignore.
    EXPECT_TRUE(!read.has_value() || read->id == Cursor().id) << i;
  }
  for (const char* text :
       {"", "x", "====", "not a token", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    EXPECT_FALSE(ReadPageToken(text, {}).has_value()) << text;
  }
  EXPECT_FALSE(ReadPageToken(std::string(100'000, 'A'), {}).has_value());
}

}  // namespace
}  // namespace lumaedit
