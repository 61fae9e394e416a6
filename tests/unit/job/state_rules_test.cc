#include "server/job/state_rules.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace lumaedit {
namespace {

using enum JobState;

constexpr JobState kAll[] = {kPending,    kSubmitting, kUnconfirmed, kHeld,      kQueued,
                             kProcessing, kSucceeded,  kFailed,      kCancelled, kExpired};

// protocol.md section 1, typed row by row.
const std::map<JobState, std::set<JobState>>& Table() {
  static const auto* const table = new std::map<JobState, std::set<JobState>>{
      {kPending, {kSubmitting, kCancelled, kFailed}},
      {kSubmitting,
       {kPending, kCancelled, kQueued, kProcessing, kSucceeded, kFailed, kUnconfirmed}},
      {kUnconfirmed, {kPending, kCancelled, kQueued, kProcessing, kSucceeded, kFailed, kHeld}},
      {kHeld, {kPending, kQueued, kProcessing, kSucceeded, kFailed, kCancelled}},
      {kQueued, {kProcessing, kSucceeded, kFailed, kCancelled, kExpired}},
      {kProcessing, {kSucceeded, kFailed, kCancelled, kExpired}},
      {kSucceeded, {}},
      {kFailed, {}},
      {kCancelled, {}},
      {kExpired, {}},
  };
  return *table;
}

TEST(StateTable, EveryPair) {
  for (const JobState from : kAll) {
    for (const JobState to : kAll) {
      EXPECT_EQ(MayMove(from, to), Table().at(from).contains(to))
          << JobStateName(from) << " -> " << JobStateName(to);
    }
  }
}

TEST(StateTable, FinalMeansNothingFollows) {
  for (const JobState state : kAll) EXPECT_EQ(IsFinal(state), Table().at(state).empty());
}

TEST(StateTable, Groups) {
  for (const JobState state : kAll) {
    EXPECT_EQ(IsRunning(state), state == kQueued || state == kProcessing);
    EXPECT_EQ(BlocksEqualPayload(state), state == kSubmitting || state == kUnconfirmed);
    EXPECT_NE(JobStateName(state), "UNKNOWN");
  }
}

JobError Reason(ErrorReason reason) {
  JobError error;
  error.reason = reason;
  return error;
}

// protocol.md section 5.
TEST(Charge, FollowsTheState) {
  for (const bool accepted : {false, true}) {
    EXPECT_EQ(ChargeFor(kPending, accepted, {}), ChargeState::kReserved);
    EXPECT_EQ(ChargeFor(kSubmitting, accepted, {}), ChargeState::kReserved);
    EXPECT_EQ(ChargeFor(kUnconfirmed, accepted, {}), ChargeState::kUncertain);
    EXPECT_EQ(ChargeFor(kHeld, accepted, {}), ChargeState::kUncertain);
    EXPECT_EQ(ChargeFor(kQueued, accepted, {}), ChargeState::kIncurred);
    EXPECT_EQ(ChargeFor(kProcessing, accepted, {}), ChargeState::kIncurred);
    EXPECT_EQ(ChargeFor(kSucceeded, accepted, {}), ChargeState::kIncurred);
    EXPECT_EQ(ChargeFor(kExpired, accepted, {}), ChargeState::kUncertain);
  }
  EXPECT_EQ(ChargeFor(kCancelled, false, {}), ChargeState::kReleased);
  EXPECT_EQ(ChargeFor(kCancelled, true, {}), ChargeState::kUncertain);
}

TEST(Charge, OfAFailureFollowsTheReason) {
  const auto of = [](ErrorReason reason, bool accepted) {
    return ChargeFor(kFailed, accepted, Reason(reason));
  };
  EXPECT_EQ(of(ErrorReason::kUpstreamRefused, false), ChargeState::kReleased);
  EXPECT_EQ(of(ErrorReason::kUpstreamNotEntitled, false), ChargeState::kReleased);
  EXPECT_EQ(of(ErrorReason::kStartWithinExceeded, false), ChargeState::kReleased);
  EXPECT_EQ(of(ErrorReason::kTooManyRefusals, false), ChargeState::kReleased);
  EXPECT_EQ(of(ErrorReason::kUpstreamFailed, true), ChargeState::kReleased);
  EXPECT_EQ(of(ErrorReason::kContentModerated, true), ChargeState::kReleased);
  EXPECT_EQ(of(ErrorReason::kUpstreamOutputMissing, true), ChargeState::kUncertain);
  EXPECT_EQ(of(ErrorReason::kSubmissionUnresolved, false), ChargeState::kUncertain);
}

}  // namespace
}  // namespace lumaedit
