#include "server/job/late_outcome_rule.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Job Ended(JobState state, ChargeState charge) {
  Job job;
  job.id = "job-1";
  job.state = state;
  job.charge = {charge, {1'080'000, 2'160'000}};
  job.upstream_id = "up-1";
  job.upstream_status = "processing";
  job.end_time = kNow - absl::Hours(1);
  return job;
}

UpstreamRecord Reads(const std::string& word, bool with_video = false) {
  UpstreamRecord record;
  record.id = "up-1";
  record.status_word = word;
  record.status = ReadStatusWord(word);
  if (with_video) {
    record.outcome = Outcome{.video_url = "https://media.example.com/1.mp4",
                             .thumbnail_url = "",
                             .generation_id = "generation-1",
                             .other_urls = {},
                             .read_time = absl::InfinitePast()};
  }
  return record;
}

TEST(LateOutcome, AnExpiredJobThatSucceededIsIncurredAndHasItsVideo) {
  const Job job = Ended(JobState::kExpired, ChargeState::kUncertain);
  EXPECT_TRUE(AwaitsLateOutcome(job));
  const auto decision = DecideLateOutcome(job, Reads("success", true), kNow);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->job.state, JobState::kExpired);
  EXPECT_EQ(decision->job.charge.state, ChargeState::kIncurred);
  EXPECT_EQ(decision->job.charge.amount, job.charge.amount);
  EXPECT_EQ(decision->job.late_outcome_time, kNow);
  ASSERT_TRUE(decision->job.outcome);
  EXPECT_EQ(decision->job.outcome->video_url, "https://media.example.com/1.mp4");
  EXPECT_EQ(decision->job.outcome->read_time, kNow);
  EXPECT_FALSE(AwaitsLateOutcome(decision->job));
}

TEST(LateOutcome, AnExpiredJobThatFailedIsReleasedAndStaysExpired) {
  const Job job = Ended(JobState::kExpired, ChargeState::kUncertain);
  const auto decision = DecideLateOutcome(job, Reads("failed"), kNow);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->job.state, JobState::kExpired);
  EXPECT_EQ(decision->job.charge.state, ChargeState::kReleased);
  EXPECT_FALSE(decision->job.error);
  EXPECT_EQ(decision->job.late_outcome_time, kNow);
}

TEST(LateOutcome, ACancelledRecordStaysUncertainAndIsNotAskedAgain) {
  const Job job = Ended(JobState::kExpired, ChargeState::kUncertain);
  const auto decision = DecideLateOutcome(job, Reads("cancelled"), kNow);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->job.charge.state, ChargeState::kUncertain);
  EXPECT_FALSE(AwaitsLateOutcome(decision->job));
}

TEST(LateOutcome, ARunningRecordTeachesNothing) {
  const Job job = Ended(JobState::kExpired, ChargeState::kUncertain);
  EXPECT_FALSE(DecideLateOutcome(job, Reads("processing"), kNow));
  // Its word is shown, and it is asked again.
  const auto word = DecideLateOutcome(job, Reads("queued"), kNow);
  ASSERT_TRUE(word);
  EXPECT_EQ(word->job.upstream_status, "queued");
  EXPECT_TRUE(AwaitsLateOutcome(word->job));
  // A success without a video is none.
  const auto empty = DecideLateOutcome(job, Reads("success"), kNow);
  ASSERT_TRUE(empty);
  EXPECT_TRUE(AwaitsLateOutcome(empty->job));
  EXPECT_EQ(empty->job.charge.state, ChargeState::kUncertain);
}

TEST(LateOutcome, ASucceededJobGetsFreshUrlsAndNothingElse) {
  Job job = Ended(JobState::kSucceeded, ChargeState::kIncurred);
  job.upstream_status = "success";
  job.outcome = Outcome{.video_url = "https://media.example.com/old.mp4",
                        .thumbnail_url = "",
                        .generation_id = "generation-1",
                        .other_urls = {},
                        .read_time = kNow - absl::Hours(1)};
  UpstreamRecord record = Reads("success", true);
  record.outcome->generation_id.clear();
  const auto decision = DecideLateOutcome(job, record, kNow);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->job.outcome->video_url, "https://media.example.com/1.mp4");
  EXPECT_EQ(decision->job.outcome->generation_id, "generation-1");
  EXPECT_EQ(decision->job.outcome->read_time, kNow);
  EXPECT_EQ(decision->job.charge, job.charge);
  EXPECT_FALSE(IsSet(decision->job.late_outcome_time));
}

TEST(LateOutcome, AVideoIsNeverTakenBack) {
  Job job = Ended(JobState::kSucceeded, ChargeState::kIncurred);
  job.upstream_status = "success";
  job.outcome = Outcome{};
  job.outcome->video_url = "https://media.example.com/old.mp4";
  const auto decision = DecideLateOutcome(job, Reads("failed"), kNow);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->job.upstream_status, "failed");
  EXPECT_EQ(decision->job.outcome, job.outcome);
  EXPECT_EQ(decision->job.charge, job.charge);
  EXPECT_FALSE(IsSet(decision->job.late_outcome_time));
}

TEST(LateOutcome, FailedAndCancelledJobsMayTurnOutToHaveAVideo) {
  for (const JobState state : {JobState::kFailed, JobState::kCancelled}) {
    Job job = Ended(state, ChargeState::kUncertain);
    const auto decision = DecideLateOutcome(job, Reads("success", true), kNow);
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->job.state, state);
    EXPECT_EQ(decision->job.charge.state, ChargeState::kIncurred);
    EXPECT_TRUE(IsSet(decision->job.late_outcome_time));
  }
}

TEST(LateOutcome, WhatTheEndSaidAlreadyIsNotLate) {
  Job failed = Ended(JobState::kFailed, ChargeState::kReleased);
  failed.upstream_status = "failed";
  EXPECT_FALSE(DecideLateOutcome(failed, Reads("failed"), kNow));
  Job cancelled = Ended(JobState::kCancelled, ChargeState::kUncertain);
  cancelled.upstream_status = "cancelled";
  EXPECT_FALSE(DecideLateOutcome(cancelled, Reads("cancelled"), kNow));
  // FAILED without a video, and the upstream says failed after all: refunded.
  Job no_output = Ended(JobState::kFailed, ChargeState::kUncertain);
  const auto settled = DecideLateOutcome(no_output, Reads("failed"), kNow);
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->job.charge.state, ChargeState::kReleased);
}

TEST(LateOutcome, OnlyTheRecordOfAFinalAcceptedJobCounts) {
  Job job = Ended(JobState::kExpired, ChargeState::kUncertain);
  UpstreamRecord other = Reads("success", true);
  other.id = "up-2";
  EXPECT_FALSE(DecideLateOutcome(job, other, kNow));
  job.state = JobState::kProcessing;
  EXPECT_FALSE(DecideLateOutcome(job, Reads("success", true), kNow));
  job.state = JobState::kFailed;
  job.upstream_id.clear();
  UpstreamRecord nameless = Reads("success", true);
  nameless.id.clear();
  EXPECT_FALSE(DecideLateOutcome(job, nameless, kNow));
}

}  // namespace
}  // namespace lumaedit
