// Typed reasons of failures, carried inside absl::Status: logic never reads message text.
//
// The reasons are those of `ErrorReason` in proto/lumaedit/v1/error_reason.proto, with equal
// numbers (rpc asserts it). Values; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace lumaedit {

enum class ErrorReason {
  kUnspecified = 0,
  // Why an edit failed (Job.error).
  kContentModerated = 1,
  kSubmissionUnresolved = 2,
  kUpstreamRefused = 3,
  kUpstreamNotEntitled = 4,
  kUpstreamOutputMissing = 5,
  kUpstreamFailed = 6,
  kStartWithinExceeded = 7,
  kTooManyRefusals = 8,
  // Why a call failed (google.rpc.ErrorInfo).
  kMalformedMessage = 20,
  kInvalidFields = 21,
  kRequestIdReused = 22,
  kRequestIdRetired = 23,
  kStorageFull = 24,
  kRecordFound = 25,
  kSequenceOutOfRange = 26,
  kStreamRotated = 27,
  kDraining = 28,
  kOverloaded = 29,
  kTokenFromOtherStore = 30,
  kTokenTooOld = 31,
  kPriceAboveLimit = 32,
  kBudgetExceeded = 33,
  kSourceNotReady = 34,
  kJobNotFound = 35,
  kStateChanged = 36,
  kNotHeld = 37,
  kNotACandidate = 38,
  kNotAccepted = 39,
  kUnauthenticated = 40,
  kInternal = 41,
  kStoreUnavailable = 42,
  kTooManyWatches = 43,
  kUpstreamUnavailable = 44,
  kSourceConflict = 45,
  kSourceNotFound = 46,
  kQuotaExceeded = 47,
  kUploadOffset = 48,
  kUpstreamIdOwned = 49,
  // Why a source was refused.
  kNotAVideo = 50,
  kSourceTooLong = 51,
  kTruncated = 52,
  kChecksumMismatch = 53,
  // Why a call failed, as 20 to 49.
  kUpstreamBusy = 70,
};

// A field of the request by its path in the public API ("edit.prompt"), and what is wrong with it.
struct Violation {
  std::string field;
  std::string description;

  friend bool operator==(const Violation&, const Violation&) = default;
};

// What `rpc` puts into the trailer (AIP-193).
struct ErrorDetail {
  ErrorReason reason = ErrorReason::kUnspecified;
  std::map<std::string, std::string> metadata;
  std::vector<Violation> violations;  // all of them; `rpc` sends the first 20 and the count
  absl::Duration retry_after = absl::InfiniteDuration();  // infinite: no RetryInfo
};

absl::Status MakeError(absl::StatusCode code, ErrorDetail detail, std::string_view message);

// The common case: a reason and a text.
absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message);

// INVALID_ARGUMENT with every wrong field; the message names the first ones and the count.
absl::Status InvalidFields(std::vector<Violation> violations);

// The detail that MakeError put in; reason kUnspecified for a status from elsewhere.
ErrorDetail DetailOf(const absl::Status& status);

inline bool HasReason(const absl::Status& status, ErrorReason reason) {
  return DetailOf(status).reason == reason;
}

// The name without prefix, as in ErrorInfo.reason: "INVALID_FIELDS".
std::string_view ErrorReasonName(ErrorReason reason);

}  // namespace lumaedit
