// What a watch of many jobs remembers, and how it forgets.

#include "client/job_sequences.h"

#include <gtest/gtest.h>

#include <string>

namespace lumaedit::client {
namespace {

absl::Time At(int seconds) { return absl::FromUnixSeconds(seconds); }

TEST(JobSequencesTest, RemembersTheLastOfEachLiveJob) {
  JobSequences sequences(2);
  EXPECT_EQ(sequences.Last("a"), std::nullopt);
  for (int n = 0; n < 1000; ++n) sequences.Set(std::to_string(n), n);
  sequences.Set("7", 8);
  EXPECT_EQ(sequences.Last("7"), 8);
  EXPECT_EQ(sequences.size(), 1000u);
  EXPECT_EQ(sequences.forgotten_until(), absl::InfinitePast());
}

TEST(JobSequencesTest, ForgetsTheFinalJobsThatEndedFirst) {
  JobSequences sequences(2);
  sequences.Set("a", 1);
  sequences.SetFinal("b", 2, At(20));
  sequences.SetFinal("c", 2, At(10));
  sequences.SetFinal("c", 2, At(10));  // a list shows it again
  EXPECT_EQ(sequences.size(), 3u);
  sequences.SetFinal("d", 2, At(30));
  EXPECT_EQ(sequences.Last("c"), std::nullopt);
  EXPECT_EQ(sequences.Last("b"), 2);
  EXPECT_EQ(sequences.forgotten_until(), At(10));
  // An old one does not push out a new one, and does not move the time back.
  sequences.SetFinal("e", 2, At(5));
  EXPECT_EQ(sequences.Last("e"), std::nullopt);
  EXPECT_EQ(sequences.Last("b"), 2);
  EXPECT_EQ(sequences.forgotten_until(), At(10));
  EXPECT_EQ(sequences.size(), 3u);
}

TEST(JobSequencesTest, AListForgetsWhatItDoesNotShow) {
  JobSequences sequences(10);
  sequences.Set("live", 1);
  sequences.Set("purged", 3);
  sequences.SetFinal("over", 4, At(1));
  sequences.SetFinal("purged too", 4, At(2));
  sequences.BeginList();
  sequences.Set("live", 2);
  sequences.SetFinal("over", 4, At(1));
  sequences.Set("told meanwhile", 1);
  sequences.EndList();
  EXPECT_EQ(sequences.size(), 3u);
  EXPECT_EQ(sequences.Last("purged"), std::nullopt);
  EXPECT_EQ(sequences.Last("purged too"), std::nullopt);
  EXPECT_EQ(sequences.Last("live"), 2);
  EXPECT_EQ(sequences.Last("over"), 4);
  EXPECT_EQ(sequences.Last("told meanwhile"), 1);
}

TEST(JobSequencesTest, AListForgetsOnlyWhatItHasShown) {
  JobSequences sequences(1);
  sequences.SetFinal("a", 2, At(10));
  sequences.SetFinal("b", 2, At(20));
  EXPECT_EQ(sequences.forgotten_before_list(), At(10));
  sequences.BeginList();
  sequences.SetFinal("d", 2, At(40));
  sequences.SetFinal("c", 2, At(30));
  EXPECT_EQ(sequences.Last("c"), std::nullopt);
  EXPECT_EQ(sequences.Last("b"), 2);
  EXPECT_EQ(sequences.size(), 2u);
  EXPECT_EQ(sequences.forgotten_until(), At(30));
  EXPECT_EQ(sequences.forgotten_before_list(), At(10));
  // The same list, begun again: what it has not shown yet may have ended before At(30).
  sequences.BeginList();
  EXPECT_EQ(sequences.size(), 1u);
  EXPECT_EQ(sequences.forgotten_before_list(), At(10));
  sequences.SetFinal("d", 2, At(40));
  sequences.SetFinal("c", 2, At(30));
  sequences.EndList();
  EXPECT_EQ(sequences.Last("d"), 2);
  EXPECT_EQ(sequences.size(), 1u);
  EXPECT_EQ(sequences.forgotten_before_list(), At(30));
}

TEST(JobSequencesTest, AJobThatIsOverNoMoreIsNotForgotten) {
  JobSequences sequences(1);
  sequences.SetFinal("a", 5, At(10));
  sequences.Set("a", 5);  // a restored store
  sequences.SetFinal("b", 2, At(20));
  EXPECT_EQ(sequences.Last("a"), 5);
  EXPECT_EQ(sequences.forgotten_until(), absl::InfinitePast());
}

}  // namespace
}  // namespace lumaedit::client
