#include "server/job/state_rules.h"

namespace lumaedit {

bool IsFinal(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed ||
         state == JobState::kCancelled || state == JobState::kExpired;
}

bool IsRunning(JobState state) {
  return state == JobState::kQueued || state == JobState::kProcessing;
}

bool BlocksEqualPayload(JobState state) {
  return state == JobState::kSubmitting || state == JobState::kUnconfirmed;
}

bool MayMove(JobState from, JobState to) {
  switch (from) {
    case JobState::kPending:
      return to == JobState::kSubmitting || to == JobState::kCancelled || to == JobState::kFailed;
    case JobState::kSubmitting:
      return to == JobState::kPending || to == JobState::kCancelled || to == JobState::kQueued ||
             to == JobState::kProcessing || to == JobState::kSucceeded || to == JobState::kFailed ||
             to == JobState::kUnconfirmed;
    case JobState::kUnconfirmed:
      return to == JobState::kHeld ||
             (to != JobState::kUnconfirmed && MayMove(JobState::kSubmitting, to));
    case JobState::kHeld:
      return to == JobState::kPending || to == JobState::kQueued || to == JobState::kProcessing ||
             to == JobState::kSucceeded || to == JobState::kFailed || to == JobState::kCancelled;
    case JobState::kQueued:
      return to == JobState::kProcessing || IsFinal(to);
    case JobState::kProcessing:
      return IsFinal(to);
    case JobState::kSucceeded:
    case JobState::kFailed:
    case JobState::kCancelled:
    case JobState::kExpired:
      return false;
  }
  return false;
}

ChargeState ChargeFor(JobState state, bool accepted, const std::optional<JobError>& error) {
  switch (state) {
    case JobState::kPending:
    case JobState::kSubmitting:
      return ChargeState::kReserved;
    case JobState::kUnconfirmed:
    case JobState::kHeld:
    case JobState::kExpired:
      return ChargeState::kUncertain;
    case JobState::kQueued:
    case JobState::kProcessing:
    case JobState::kSucceeded:
      return ChargeState::kIncurred;
    case JobState::kFailed: {
      const ErrorReason reason = error ? error->reason : ErrorReason::kUnspecified;
      const bool in_doubt = reason == ErrorReason::kSubmissionUnresolved ||
                            reason == ErrorReason::kUpstreamOutputMissing;
      return in_doubt ? ChargeState::kUncertain : ChargeState::kReleased;
    }
    case JobState::kCancelled:
      return accepted ? ChargeState::kUncertain : ChargeState::kReleased;
  }
  return ChargeState::kUncertain;
}

}  // namespace lumaedit
