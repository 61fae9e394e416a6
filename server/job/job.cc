#include "server/job/job.h"

namespace lumaedit {

std::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kPending:
      return "PENDING";
    case JobState::kSubmitting:
      return "SUBMITTING";
    case JobState::kUnconfirmed:
      return "UNCONFIRMED";
    case JobState::kHeld:
      return "HELD";
    case JobState::kQueued:
      return "QUEUED";
    case JobState::kProcessing:
      return "PROCESSING";
    case JobState::kSucceeded:
      return "SUCCEEDED";
    case JobState::kFailed:
      return "FAILED";
    case JobState::kCancelled:
      return "CANCELLED";
    case JobState::kExpired:
      return "EXPIRED";
  }
  return "UNKNOWN";
}

}  // namespace lumaedit
