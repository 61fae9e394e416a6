#include "server/job/upstream.h"

#include "absl/strings/ascii.h"

namespace lumaedit {

UpstreamStatus ReadStatusWord(std::string_view word) {
  const std::string lower = absl::AsciiStrToLower(absl::string_view(word.data(), word.size()));
  if (lower == "created" || lower == "queued" || lower == "dispatched") {
    return UpstreamStatus::kQueued;
  }
  if (lower == "processing") return UpstreamStatus::kProcessing;
  if (lower == "success") return UpstreamStatus::kSuccess;
  if (lower == "failed") return UpstreamStatus::kFailed;
  if (lower == "cancelled" || lower == "canceled") return UpstreamStatus::kCancelled;
  return UpstreamStatus::kUnknown;
}

}  // namespace lumaedit
