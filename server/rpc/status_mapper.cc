#include "server/rpc/status_mapper.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lumaedit/v1/error_reason.pb.h"
#include "server/job/error.h"
#include "server/job/validation.h"

namespace lumaedit {
namespace {

#define LUMAEDIT_SAME(value, proto) \
  static_assert(static_cast<int>(ErrorReason::value) == static_cast<int>(v1::ERROR_REASON_##proto))
LUMAEDIT_SAME(kUnspecified, UNSPECIFIED);
LUMAEDIT_SAME(kContentModerated, CONTENT_MODERATED);
LUMAEDIT_SAME(kSubmissionUnresolved, SUBMISSION_UNRESOLVED);
LUMAEDIT_SAME(kUpstreamRefused, UPSTREAM_REFUSED);
LUMAEDIT_SAME(kUpstreamNotEntitled, UPSTREAM_NOT_ENTITLED);
LUMAEDIT_SAME(kUpstreamOutputMissing, UPSTREAM_OUTPUT_MISSING);
LUMAEDIT_SAME(kUpstreamFailed, UPSTREAM_FAILED);
LUMAEDIT_SAME(kStartWithinExceeded, START_WITHIN_EXCEEDED);
LUMAEDIT_SAME(kTooManyRefusals, TOO_MANY_REFUSALS);
LUMAEDIT_SAME(kMalformedMessage, MALFORMED_MESSAGE);
LUMAEDIT_SAME(kInvalidFields, INVALID_FIELDS);
LUMAEDIT_SAME(kRequestIdReused, REQUEST_ID_REUSED);
LUMAEDIT_SAME(kRequestIdRetired, REQUEST_ID_RETIRED);
LUMAEDIT_SAME(kStorageFull, STORAGE_FULL);
LUMAEDIT_SAME(kRecordFound, RECORD_FOUND);
LUMAEDIT_SAME(kSequenceOutOfRange, SEQUENCE_OUT_OF_RANGE);
LUMAEDIT_SAME(kStreamRotated, STREAM_ROTATED);
LUMAEDIT_SAME(kDraining, DRAINING);
LUMAEDIT_SAME(kOverloaded, OVERLOADED);
LUMAEDIT_SAME(kTokenFromOtherStore, TOKEN_FROM_OTHER_STORE);
LUMAEDIT_SAME(kTokenTooOld, TOKEN_TOO_OLD);
LUMAEDIT_SAME(kPriceAboveLimit, PRICE_ABOVE_LIMIT);
LUMAEDIT_SAME(kBudgetExceeded, BUDGET_EXCEEDED);
LUMAEDIT_SAME(kSourceNotReady, SOURCE_NOT_READY);
LUMAEDIT_SAME(kJobNotFound, JOB_NOT_FOUND);
LUMAEDIT_SAME(kStateChanged, STATE_CHANGED);
LUMAEDIT_SAME(kNotHeld, NOT_HELD);
LUMAEDIT_SAME(kNotACandidate, NOT_A_CANDIDATE);
LUMAEDIT_SAME(kNotAccepted, NOT_ACCEPTED);
LUMAEDIT_SAME(kUnauthenticated, UNAUTHENTICATED);
LUMAEDIT_SAME(kInternal, INTERNAL);
LUMAEDIT_SAME(kStoreUnavailable, STORE_UNAVAILABLE);
LUMAEDIT_SAME(kTooManyWatches, TOO_MANY_WATCHES);
LUMAEDIT_SAME(kUpstreamUnavailable, UPSTREAM_UNAVAILABLE);
LUMAEDIT_SAME(kSourceConflict, SOURCE_CONFLICT);
LUMAEDIT_SAME(kSourceNotFound, SOURCE_NOT_FOUND);
LUMAEDIT_SAME(kQuotaExceeded, QUOTA_EXCEEDED);
LUMAEDIT_SAME(kUploadOffset, UPLOAD_OFFSET);
LUMAEDIT_SAME(kUpstreamIdOwned, UPSTREAM_ID_OWNED);
LUMAEDIT_SAME(kNotAVideo, NOT_A_VIDEO);
LUMAEDIT_SAME(kSourceTooLong, SOURCE_TOO_LONG);
LUMAEDIT_SAME(kTruncated, TRUNCATED);
LUMAEDIT_SAME(kChecksumMismatch, CHECKSUM_MISMATCH);
LUMAEDIT_SAME(kUpstreamBusy, UPSTREAM_BUSY);
#undef LUMAEDIT_SAME

constexpr std::size_t kMostViolations = 20;
constexpr std::size_t kMostText = 1024;          // of the message
constexpr std::size_t kMostDetailText = 256;     // of one description or one metadata value
constexpr std::size_t kMostTrailerBytes = 5000;  // base64 makes a third more of it
constexpr absl::Duration kUsualRetry = absl::Seconds(1);

// At most `most` bytes of well-formed UTF-8.
std::string Cut(std::string text, std::size_t most) {
  if (text.size() > most) {
    text.resize(most);
    // A character may have been cut: take its beginning away too.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) {
      text.pop_back();
    }
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
  }
  if (Utf8CodePoints(text)) return text;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return text;
}

// For a status that carries no reason of ours: one made by a library or by a dropped reply.
ErrorReason UsualReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
      return ErrorReason::kDraining;
    case absl::StatusCode::kResourceExhausted:
      return ErrorReason::kOverloaded;
    case absl::StatusCode::kUnauthenticated:
      return ErrorReason::kUnauthenticated;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return ErrorReason::kInternal;
    default:
      return ErrorReason::kUnspecified;
  }
}

void SetRetry(absl::Duration after, google::rpc::Status& out) {
  google::rpc::RetryInfo retry;
  const std::int64_t nanos = absl::ToInt64Nanoseconds(std::max(after, absl::ZeroDuration()));
  retry.mutable_retry_delay()->set_seconds(nanos / 1'000'000'000);
  retry.mutable_retry_delay()->set_nanos(static_cast<std::int32_t>(nanos % 1'000'000'000));
  out.add_details()->PackFrom(retry);
}

// The limit that stood in the way, as the store named it (kBudgetExceeded).
void AddQuotaFailure(const ErrorDetail& detail, google::rpc::Status& out) {
  const auto text = [&](const char* key) {
    const auto it = detail.metadata.find(key);
    return it == detail.metadata.end() ? std::string() : it->second;
  };
  google::rpc::QuotaFailure failure;
  auto* violation = failure.add_violations();
  violation->set_subject(absl::StrCat("budget:", text("scope")));
  violation->set_description(absl::StrCat("the limit is ", text("limit_usd_micros"),
                                          " micro-dollars, and what is left of it is less than the "
                                          "job may cost"));
  out.add_details()->PackFrom(failure);
}

}  // namespace

bool IsHiddenFault(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInternal ||
         status.code() == absl::StatusCode::kUnknown ||
         status.code() == absl::StatusCode::kDataLoss;
}

ErrorReason ReasonOf(const absl::Status& status) {
  const ErrorReason reason = DetailOf(status).reason;
  return reason == ErrorReason::kUnspecified ? UsualReason(status.code()) : reason;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorDetail detail = DetailOf(status);
  const ErrorReason reason = ReasonOf(status);

  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  out.set_message(IsHiddenFault(status) ? "a fault inside the gateway; its log has the details"
                                        : Cut(std::string(status.message()), kMostText));

  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ErrorReasonName(reason)));
  info.set_domain(kErrorDomain);
  for (const auto& [key, value] : detail.metadata) {
    (*info.mutable_metadata())[Cut(key, kMostDetailText)] = Cut(value, kMostDetailText);
  }
  if (!detail.violations.empty()) {
    (*info.mutable_metadata())["violation_count"] = absl::StrCat(detail.violations.size());
  }
  out.add_details()->PackFrom(info);
  if (reason == ErrorReason::kBudgetExceeded) AddQuotaFailure(detail, out);

  if (detail.retry_after != absl::InfiniteDuration()) {
    SetRetry(detail.retry_after, out);
  } else if (status.code() == absl::StatusCode::kUnavailable) {
    SetRetry(kUsualRetry, out);
  }

  // Last, and as many as there is room for.
  std::size_t room =
      out.ByteSizeLong() < kMostTrailerBytes ? kMostTrailerBytes - out.ByteSizeLong() : 0;
  google::rpc::BadRequest bad_request;
  for (const Violation& violation : detail.violations) {
    if (static_cast<std::size_t>(bad_request.field_violations_size()) == kMostViolations) break;
    google::rpc::BadRequest::FieldViolation next;
    next.set_field(Cut(violation.field, kMostDetailText));
    next.set_description(Cut(violation.description, kMostDetailText));
    const std::size_t size = next.ByteSizeLong() + 4;
    if (size > room) break;
    room -= size;
    *bad_request.add_field_violations() = std::move(next);
  }
  if (bad_request.field_violations_size() > 0) out.add_details()->PackFrom(bad_request);

  return grpc::Status(static_cast<grpc::StatusCode>(out.code()), out.message(),
                      out.SerializeAsString());
}

}  // namespace lumaedit
