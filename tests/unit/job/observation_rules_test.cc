#include "server/job/observation_rules.h"

#include <gtest/gtest.h>

#include "server/job/attempt_rules.h"
#include "server/job/state_rules.h"

namespace lumaedit {
namespace {

using enum JobState;

const absl::Time kBefore = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kSeen = kBefore + absl::Seconds(2);
constexpr absl::Duration kOutputWait = absl::Seconds(60);

Job Running(JobState state, std::string word) {
  Job job;
  job.state = state;
  job.upstream_id = "u";
  job.upstream_status = std::move(word);
  job.charge.state = ChargeState::kIncurred;
  job.accept_time = job.state_time = job.change_time = kBefore;
  return job;
}

Observation See(std::string word, bool has_outcome = true,
                absl::Duration unchanged_for = absl::ZeroDuration(), absl::Time at = kSeen) {
  Observation seen;
  seen.record.id = "u";
  seen.record.status = ReadStatusWord(word);
  seen.record.status_word = std::move(word);
  seen.not_before = kBefore;
  seen.not_after = at;
  seen.unchanged_for = unchanged_for;
  if (seen.record.status == UpstreamStatus::kSuccess && has_outcome) {
    seen.record.outcome = Outcome{.video_url = "https://media.example.com/a.mp4",
                                  .thumbnail_url = {},
                                  .generation_id = {},
                                  .other_urls = {},
                                  .read_time = at};
  }
  return seen;
}

TEST(MayJudgeFromList, NotAnEndWithoutWhatBelongsToIt) {
  EXPECT_TRUE(MayJudgeFromList(See("queued").record));
  EXPECT_TRUE(MayJudgeFromList(See("success").record));
  EXPECT_FALSE(MayJudgeFromList(See("success", /*has_outcome=*/false).record));
  UpstreamRecord failed = See("failed").record;
  EXPECT_FALSE(MayJudgeFromList(failed));
  failed.error.emplace();
  EXPECT_TRUE(MayJudgeFromList(failed));
  UpstreamRecord stopped = See("success").record;
  stopped.is_partial = true;
  EXPECT_FALSE(MayJudgeFromList(stopped));
}

TEST(DecideObservation, Table) {
  struct Row {
    JobState from;
    const char* before;
    const char* word;
    bool writes;
    JobState to;
    ChargeState charge;
  };
  constexpr ChargeState kIncurred = ChargeState::kIncurred;
  const Row rows[] = {
      {kQueued, "queued", "queued", false, kQueued, kIncurred},
      {kQueued, "created", "queued", true, kQueued, kIncurred},
      {kQueued, "queued", "dispatched", true, kQueued, kIncurred},
      {kQueued, "queued", "paused", true, kQueued, kIncurred},
      {kQueued, "paused", "paused", false, kQueued, kIncurred},
      {kQueued, "queued", "", true, kQueued, kIncurred},
      {kQueued, "queued", "processing", true, kProcessing, kIncurred},
      {kQueued, "queued", "success", true, kSucceeded, kIncurred},  // one transition, no more
      {kQueued, "queued", "failed", true, kFailed, ChargeState::kReleased},
      {kQueued, "queued", "cancelled", true, kCancelled, ChargeState::kUncertain},
      {kProcessing, "processing", "processing", false, kProcessing, kIncurred},
      {kProcessing, "processing", "queued", true, kProcessing, kIncurred},  // a step back
      {kProcessing, "queued", "queued", false, kProcessing, kIncurred},
      {kProcessing, "processing", "weird", true, kProcessing, kIncurred},
      {kProcessing, "processing", "SUCCESS", true, kSucceeded, kIncurred},
      {kProcessing, "processing", "failed", true, kFailed, ChargeState::kReleased},
      {kProcessing, "processing", "canceled", true, kCancelled, ChargeState::kUncertain},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.before) + " -> " + row.word);
    const Job job = Running(row.from, row.before);
    const auto decision = DecideObservation(job, See(row.word), kOutputWait);
    ASSERT_EQ(decision.has_value(), row.writes);
    if (!decision) continue;
    EXPECT_EQ(decision->job.state, row.to);
    EXPECT_EQ(decision->job.upstream_status, row.word);
    EXPECT_EQ(decision->job.charge.state, row.charge);
    EXPECT_EQ(decision->not_before, kBefore);
    EXPECT_EQ(decision->not_after, kSeen);
    EXPECT_EQ(decision->job.outcome.has_value(), row.to == kSucceeded);
    EXPECT_EQ(decision->job.error.has_value(), row.to == kFailed);
    EXPECT_EQ(decision->bind_attempt, 0);
  }
}

TEST(DecideObservation, NothingMovesWhatIsNotRunning) {
  for (const JobState state :
       {kPending, kSubmitting, kUnconfirmed, kHeld, kSucceeded, kFailed, kCancelled, kExpired}) {
    for (const char* word : {"queued", "processing", "success", "failed", "cancelled", "odd"}) {
      EXPECT_FALSE(DecideObservation(Running(state, "x"), See(word), kOutputWait).has_value());
    }
  }
}

TEST(DecideObservation, SuccessWithoutAVideoWaits) {
  for (const JobState state : {kQueued, kProcessing}) {
    Job job = Running(state, "processing");
    auto first = DecideObservation(job, See("success", false), kOutputWait);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->job.state, state);
    EXPECT_EQ(first->job.change_time, kSeen);
    job = first->job;
    const absl::Duration just_before = kOutputWait - absl::Microseconds(1);
    EXPECT_FALSE(DecideObservation(job, See("success", false, just_before), kOutputWait));
    const auto last = DecideObservation(job, See("success", false, kOutputWait), kOutputWait);
    ASSERT_TRUE(last.has_value());
    EXPECT_EQ(last->job.state, kFailed);
    EXPECT_EQ(last->job.error->reason, ErrorReason::kUpstreamOutputMissing);
    EXPECT_EQ(last->job.charge.state, ChargeState::kUncertain);
    // Wall time says nothing: it may have jumped.
    EXPECT_FALSE(DecideObservation(job, See("success", false, just_before, kSeen + absl::Hours(1)),
                                   kOutputWait));
    const auto late = DecideObservation(job, See("success", true, just_before), kOutputWait);
    ASSERT_TRUE(late.has_value());
    EXPECT_EQ(late->job.state, kSucceeded);
  }
}

TEST(DecideObservation, AFailureWithoutAReasonGetsOne) {
  const auto decision =
      DecideObservation(Running(kProcessing, "processing"), See("failed"), kOutputWait);
  EXPECT_EQ(decision->job.error->reason, ErrorReason::kUpstreamFailed);
}

TEST(DecideExpiry, RunningOnesOnly) {
  for (const JobState state : {kQueued, kProcessing}) {
    const auto decision = DecideExpiry(Running(state, "queued"));
    ASSERT_TRUE(decision.has_value());
    EXPECT_EQ(decision->job.state, kExpired);
    EXPECT_EQ(decision->job.charge.state, ChargeState::kUncertain);
  }
  for (const JobState state : {kPending, kSubmitting, kUnconfirmed, kHeld, kSucceeded}) {
    EXPECT_FALSE(DecideExpiry(Running(state, "queued")).has_value());
  }
}

TEST(IsStalled, QueuedAndUnchanged) {
  const absl::Duration after = absl::Minutes(15);
  EXPECT_FALSE(IsStalled(Running(kQueued, "queued"), after, kBefore + after - absl::Seconds(1)));
  EXPECT_TRUE(IsStalled(Running(kQueued, "queued"), after, kBefore + after));
  EXPECT_FALSE(IsStalled(Running(kProcessing, "processing"), after, kBefore + absl::Hours(9)));
}

TEST(SealOf, IsThatOfTheAttemptWhoseRecordItIs) {
  JobView view{.job = Running(kQueued, "queued"), .attempts = {}};
  view.job.create_time = kBefore - absl::Minutes(10);
  EXPECT_EQ(SealOf(view), view.job.create_time);
  for (const char* id : {"", "u", "w"}) {
    Attempt& attempt = view.attempts.emplace_back();
    attempt.number = static_cast<int>(view.attempts.size());
    attempt.seal_time = kBefore - absl::Minutes(5 - attempt.number);
    attempt.upstream_id = id;
  }
  EXPECT_EQ(SealOf(view), kBefore - absl::Minutes(3));
  view.job.upstream_id.clear();
  EXPECT_EQ(SealOf(view), view.job.create_time);
}

}  // namespace
}  // namespace lumaedit
