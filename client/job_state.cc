#include "client/job_state.h"

#include "absl/strings/strip.h"

namespace lumaedit::client {

bool IsFinal(v1::Job::State state) {
  return state == v1::Job::STATE_SUCCEEDED || state == v1::Job::STATE_FAILED ||
         state == v1::Job::STATE_CANCELLED || state == v1::Job::STATE_EXPIRED;
}

absl::string_view StateName(v1::Job::State state) {
  if (!v1::Job::State_IsValid(state)) return "UNKNOWN";
  // Points into the descriptor's own table, which lives as long as the process.
  return absl::StripPrefix(v1::Job::State_Name(state), "STATE_");
}

}  // namespace lumaedit::client
