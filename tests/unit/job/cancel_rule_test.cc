#include "server/job/cancel_rule.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

using enum JobState;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Job In(JobState state) {
  Job job;
  job.state = state;
  return job;
}

TEST(Cancel, PendingCostsNothing) {
  const CancelVerdict verdict = DecideCancel(In(kPending), "me", kNow);
  EXPECT_EQ(verdict.result, CancelResult::kPrevented);
  ASSERT_TRUE(verdict.decision.has_value());
  EXPECT_EQ(verdict.decision->job.state, kCancelled);
  EXPECT_EQ(verdict.decision->job.charge.state, ChargeState::kReleased);
  EXPECT_EQ(verdict.decision->job.cancel_request_time, kNow);
  EXPECT_EQ(verdict.decision->actor, "me");
}

TEST(Cancel, LaterIsRecorded) {
  for (const JobState state : {kSubmitting, kUnconfirmed, kHeld, kQueued, kProcessing}) {
    const CancelVerdict verdict = DecideCancel(In(state), "me", kNow);
    EXPECT_EQ(verdict.result, CancelResult::kRecordedMayBill);
    ASSERT_TRUE(verdict.decision.has_value());
    EXPECT_EQ(verdict.decision->job.state, state);
    EXPECT_EQ(verdict.decision->job.cancel_request_time, kNow);
    EXPECT_EQ(verdict.decision->job.cancel_actor, "me");
  }
}

TEST(Cancel, FinalIsTooLate) {
  for (const JobState state : {kSucceeded, kFailed, kCancelled, kExpired}) {
    const CancelVerdict verdict = DecideCancel(In(state), "me", kNow);
    EXPECT_EQ(verdict.result, CancelResult::kTooLate);
    EXPECT_FALSE(verdict.decision.has_value());
  }
}

TEST(Cancel, ARepeatAnswersWithTheFirstResult) {
  for (const JobState state : {kSubmitting, kQueued, kSucceeded, kCancelled}) {
    Job job = In(state);
    job.cancel_result = CancelResult::kRecordedMayBill;
    const CancelVerdict verdict = DecideCancel(job, "other", kNow);
    EXPECT_EQ(verdict.result, CancelResult::kRecordedMayBill);
    EXPECT_FALSE(verdict.decision.has_value());
  }
}

}  // namespace
}  // namespace lumaedit
