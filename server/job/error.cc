#include "server/job/error.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace lumaedit {
namespace {

// absl::Status carries bytes by type name. The pieces are kept apart by separators of ASCII that
// field names, reasons and our own texts do not hold.
constexpr char kPayloadUrl[] = "lumaedit.v1/ErrorDetail";
constexpr char kRecord = '\x1E';
constexpr char kUnit = '\x1F';

std::string Clean(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == kRecord || c == kUnit; }, ' ');
  return out;
}

std::string Serialize(const ErrorDetail& detail) {
  std::vector<std::string> records;
  const bool has_retry = detail.retry_after != absl::InfiniteDuration();
  records.push_back(absl::StrCat(
      "r", std::string(1, kUnit), static_cast<int>(detail.reason), std::string(1, kUnit),
      has_retry ? absl::StrCat(absl::ToInt64Milliseconds(detail.retry_after)) : "-"));
  for (const auto& [key, value] : detail.metadata) {
    records.push_back(
        absl::StrCat("m", std::string(1, kUnit), Clean(key), std::string(1, kUnit), Clean(value)));
  }
  for (const Violation& violation : detail.violations) {
    records.push_back(absl::StrCat("v", std::string(1, kUnit), Clean(violation.field),
                                   std::string(1, kUnit), Clean(violation.description)));
  }
  return absl::StrJoin(records, std::string(1, kRecord));
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, ErrorDetail detail, std::string_view message) {
  absl::Status status(code, absl::string_view(message.data(), message.size()));
  status.SetPayload(kPayloadUrl, absl::Cord(Serialize(detail)));
  return status;
}

absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message) {
  ErrorDetail detail;
  detail.reason = reason;
  return MakeError(code, std::move(detail), message);
}

absl::Status InvalidFields(std::vector<Violation> violations) {
  constexpr std::size_t kNamed = 5;
  std::vector<std::string> named;
  for (const Violation& violation : violations) {
    if (named.size() == kNamed) break;
    named.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  std::string message = absl::StrJoin(named, "; ");
  if (violations.size() > kNamed) {
    absl::StrAppend(&message, "; and ", violations.size() - kNamed, " more");
  }
  ErrorDetail detail;
  detail.reason = ErrorReason::kInvalidFields;
  detail.metadata["violation_count"] = absl::StrCat(violations.size());
  detail.violations = std::move(violations);
  return MakeError(absl::StatusCode::kInvalidArgument, std::move(detail), message);
}

ErrorDetail DetailOf(const absl::Status& status) {
  ErrorDetail detail;
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return detail;
  const std::string bytes(*payload);
  for (absl::string_view record : absl::StrSplit(bytes, kRecord)) {
    const std::vector<std::string> parts = absl::StrSplit(record, kUnit);
    if (parts.size() != 3) continue;
    if (parts[0] == "r") {
      int number = 0;
      std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), number);
      detail.reason = static_cast<ErrorReason>(number);
      std::int64_t milliseconds = 0;
      if (parts[2] != "-") {
        std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), milliseconds);
        detail.retry_after = absl::Milliseconds(milliseconds);
      }
    } else if (parts[0] == "m") {
      detail.metadata[parts[1]] = parts[2];
    } else if (parts[0] == "v") {
      detail.violations.push_back({parts[1], parts[2]});
    }
  }
  return detail;
}

std::string_view ErrorReasonName(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kUnspecified:
      return "UNSPECIFIED";
    case ErrorReason::kContentModerated:
      return "CONTENT_MODERATED";
    case ErrorReason::kSubmissionUnresolved:
      return "SUBMISSION_UNRESOLVED";
    case ErrorReason::kUpstreamRefused:
      return "UPSTREAM_REFUSED";
    case ErrorReason::kUpstreamNotEntitled:
      return "UPSTREAM_NOT_ENTITLED";
    case ErrorReason::kUpstreamOutputMissing:
      return "UPSTREAM_OUTPUT_MISSING";
    case ErrorReason::kUpstreamFailed:
      return "UPSTREAM_FAILED";
    case ErrorReason::kStartWithinExceeded:
      return "START_WITHIN_EXCEEDED";
    case ErrorReason::kTooManyRefusals:
      return "TOO_MANY_REFUSALS";
    case ErrorReason::kMalformedMessage:
      return "MALFORMED_MESSAGE";
    case ErrorReason::kInvalidFields:
      return "INVALID_FIELDS";
    case ErrorReason::kRequestIdReused:
      return "REQUEST_ID_REUSED";
    case ErrorReason::kRequestIdRetired:
      return "REQUEST_ID_RETIRED";
    case ErrorReason::kStorageFull:
      return "STORAGE_FULL";
    case ErrorReason::kRecordFound:
      return "RECORD_FOUND";
    case ErrorReason::kSequenceOutOfRange:
      return "SEQUENCE_OUT_OF_RANGE";
    case ErrorReason::kStreamRotated:
      return "STREAM_ROTATED";
    case ErrorReason::kDraining:
      return "DRAINING";
    case ErrorReason::kOverloaded:
      return "OVERLOADED";
    case ErrorReason::kTokenFromOtherStore:
      return "TOKEN_FROM_OTHER_STORE";
    case ErrorReason::kTokenTooOld:
      return "TOKEN_TOO_OLD";
    case ErrorReason::kPriceAboveLimit:
      return "PRICE_ABOVE_LIMIT";
    case ErrorReason::kBudgetExceeded:
      return "BUDGET_EXCEEDED";
    case ErrorReason::kSourceNotReady:
      return "SOURCE_NOT_READY";
    case ErrorReason::kJobNotFound:
      return "JOB_NOT_FOUND";
    case ErrorReason::kStateChanged:
      return "STATE_CHANGED";
    case ErrorReason::kNotHeld:
      return "NOT_HELD";
    case ErrorReason::kNotACandidate:
      return "NOT_A_CANDIDATE";
    case ErrorReason::kNotAccepted:
      return "NOT_ACCEPTED";
    case ErrorReason::kUnauthenticated:
      return "UNAUTHENTICATED";
    case ErrorReason::kInternal:
      return "INTERNAL";
    case ErrorReason::kStoreUnavailable:
      return "STORE_UNAVAILABLE";
    case ErrorReason::kTooManyWatches:
      return "TOO_MANY_WATCHES";
    case ErrorReason::kUpstreamUnavailable:
      return "UPSTREAM_UNAVAILABLE";
    case ErrorReason::kSourceConflict:
      return "SOURCE_CONFLICT";
    case ErrorReason::kSourceNotFound:
      return "SOURCE_NOT_FOUND";
    case ErrorReason::kQuotaExceeded:
      return "QUOTA_EXCEEDED";
    case ErrorReason::kUploadOffset:
      return "UPLOAD_OFFSET";
    case ErrorReason::kUpstreamIdOwned:
      return "UPSTREAM_ID_OWNED";
    case ErrorReason::kNotAVideo:
      return "NOT_A_VIDEO";
    case ErrorReason::kSourceTooLong:
      return "SOURCE_TOO_LONG";
    case ErrorReason::kTruncated:
      return "TRUNCATED";
    case ErrorReason::kChecksumMismatch:
      return "CHECKSUM_MISMATCH";
    case ErrorReason::kUpstreamBusy:
      return "UPSTREAM_BUSY";
  }
  return "UNSPECIFIED";
}

}  // namespace lumaedit
