// What is counted of a job's life, and that each thing is counted once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using testing::ElementsAre;
using testing::Pair;

class CountingMetrics final : public JobMetrics {
 public:
  void Transitioned(JobState state) override { ++transitions[state]; }
  void PostEnded(bool last_byte_given, FactKind answer, absl::Duration) override {
    ++posts[{last_byte_given, answer}];
  }
  void ReadEnded(UpstreamRead what, ReadFailure failure, absl::Duration) override {
    ++reads[{what, failure}];
  }
  void PollLag(absl::Duration lag) override { lags.push_back(lag); }
  void DetectionDelay(absl::Duration lower, absl::Duration upper) override {
    delays.emplace_back(lower, upper);
  }
  void UnknownUpstreamRecords(int count) override { strangers.push_back(count); }
  void StoreCommitted(absl::Duration took, int operations) override {
    EXPECT_GE(took, absl::ZeroDuration());
    EXPECT_GE(operations, 1);
    ++commits;
  }

  std::map<JobState, int> transitions;
  std::map<std::pair<bool, FactKind>, int> posts;
  std::map<std::pair<UpstreamRead, ReadFailure>, int> reads;
  std::vector<absl::Duration> lags;
  std::vector<std::pair<absl::Duration, absl::Duration>> delays;
  std::vector<int> strangers;
  int commits = 0;
};

WorldOptions Counted(JobMetrics& metrics) {
  WorldOptions options;
  options.metrics = &metrics;
  return options;
}

TEST(Metrics, AJobThatSucceeds) {
  CountingMetrics counts;
  SteppedWorld world(Counted(counts));
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  world.Settle();
  EXPECT_THAT(counts.transitions,
              ElementsAre(Pair(kPending, 1), Pair(kSubmitting, 1), Pair(kQueued, 1),
                          Pair(kProcessing, 1), Pair(kSucceeded, 1)));
  EXPECT_THAT(counts.posts, ElementsAre(Pair(Pair(true, FactKind::kAccepted), 1)));
  EXPECT_THAT(counts.reads, ElementsAre(Pair(Pair(UpstreamRead::kGet, ReadFailure::kNone),
                                             world.upstream.gets())));
  EXPECT_EQ(counts.lags.size(), static_cast<std::size_t>(world.upstream.gets()));
  EXPECT_GE(counts.commits, 5);
}

TEST(Metrics, DelaysOfDetectionLieBetweenTheirBounds) {
  for (const int jobs : {1, 60}) {  // asked by id; by pages of the list
    CountingMetrics counts;
    SteppedWorld world(Counted(counts));
    world.upstream.get_takes = absl::Milliseconds(150);
    world.upstream.list_takes = absl::Milliseconds(400);
    std::vector<std::string> all;
    for (int i = 0; i < jobs; ++i) all.push_back(world.Submit(std::to_string(i)));
    for (const std::string& job : all) ASSERT_TRUE(world.RunToEnd(job));
    EXPECT_EQ(world.upstream.lists() > 0, jobs > 1);
    std::vector<std::pair<double, double>> expected;
    for (const std::string& job : all) {
      const FakeRecord* record = world.upstream.Find(world.Get(job).upstream_id);
      ASSERT_NE(record, nullptr);
      for (const Transition& transition : world.Transitions(job)) {
        if (transition.sequence < 4) continue;
        const absl::Duration after =
            transition.state == kProcessing ? absl::Seconds(3) : absl::Seconds(8);
        const absl::Time happened = record->created_at + after;
        EXPECT_LE(transition.not_before, happened);
        EXPECT_GE(transition.not_after, happened);
        expected.emplace_back(
            absl::ToDoubleSeconds(transition.record_time - transition.not_after),
            absl::ToDoubleSeconds(transition.record_time - transition.not_before));
        EXPECT_LE(expected.back().second, 8);
      }
    }
    ASSERT_EQ(counts.delays.size(), expected.size());
    std::sort(counts.delays.begin(), counts.delays.end());
    std::sort(expected.begin(), expected.end());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(absl::ToDoubleSeconds(counts.delays[i].first), expected[i].first, 1e-5);
      EXPECT_NEAR(absl::ToDoubleSeconds(counts.delays[i].second), expected[i].second, 1e-5);
    }
  }
}

TEST(Metrics, PollsBeyondTheCapShowAsLag) {
  CountingMetrics counts;
  WorldOptions options = Counted(counts);
  options.settings.poll.requests_per_second = 1;
  options.settings.poll.list_from = 0;
  SteppedWorld world(options);
  world.upstream.usual.record.course = {{absl::ZeroDuration(), "queued"}};
  for (int i = 0; i < 30; ++i) world.Submit("a" + std::to_string(i));
  world.RunFor(absl::Minutes(1));
  ASSERT_FALSE(counts.lags.empty());
  EXPECT_LT(counts.lags.front(), absl::Seconds(1));
  EXPECT_GT(counts.lags.back(), absl::Seconds(5));
}

TEST(Metrics, RecordsThatNobodyKnowsAreCountedAndGoAgain) {
  CountingMetrics counts;
  SteppedWorld world(Counted(counts));
  FakeRecord stranger;
  stranger.payload = PayloadFor(world.Request("somebody else's").edit);
  stranger.created_at = world.clock.Now();
  const std::string id = world.upstream.AddRecord(stranger);
  PostScript lost;
  lost.kind = PostScript::Kind::kLoseRequest;
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunUntil([&] { return !counts.strangers.empty(); }, absl::Minutes(1)));
  EXPECT_EQ(counts.strangers.back(), 1);
  world.upstream.Find(id)->listed = false;
  ASSERT_TRUE(world.RunToState(job, kHeld));
  EXPECT_EQ(counts.strangers.back(), 0);
  EXPECT_THAT(counts.posts, ElementsAre(Pair(Pair(true, FactKind::kUnclear), 1)));
}

TEST(Metrics, WhatACallerDoesIsCountedToo) {
  CountingMetrics counts;
  SteppedWorld world(Counted(counts));
  world.upstream.usual.upload = absl::Hours(1);
  const std::string job = world.Submit("a");
  EXPECT_EQ(world.Cancel(job), CancelResult::kPrevented);
  EXPECT_THAT(counts.transitions, ElementsAre(Pair(kPending, 1), Pair(kCancelled, 1)));
}

}  // namespace
}  // namespace lumaedit
