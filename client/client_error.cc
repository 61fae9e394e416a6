#include "client/client_error.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace lumaedit::client {
namespace {

constexpr char kDomain[] = "lumaedit.v1";

void ReadErrorInfo(const google::rpc::ErrorInfo& info, ClientError& error) {
  if (info.domain() != kDomain) return;
  error.from_gateway = true;
  error.reason_name = info.reason();
  v1::ErrorReason reason;
  if (v1::ErrorReason_Parse(absl::StrCat("ERROR_REASON_", info.reason()), &reason)) {
    error.reason = reason;
  }
  error.metadata.insert(info.metadata().begin(), info.metadata().end());
}

void ReadDetail(const google::protobuf::Any& detail, ClientError& error) {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  google::rpc::RetryInfo retry;
  if (detail.UnpackTo(&info)) {
    ReadErrorInfo(info, error);
  } else if (detail.UnpackTo(&bad_request)) {
    for (const auto& violation : bad_request.field_violations()) {
      error.violations.push_back({violation.field(), violation.description()});
    }
  } else if (detail.UnpackTo(&retry)) {
    const absl::Duration wait = absl::Seconds(retry.retry_delay().seconds()) +
                                absl::Nanoseconds(retry.retry_delay().nanos());
    if (wait >= absl::ZeroDuration()) error.retry_after = wait;
  }
}

}  // namespace

std::string ClientError::ToString() const {
  std::string text = absl::StatusCodeToString(code);
  if (!reason_name.empty()) absl::StrAppend(&text, " ", reason_name);
  if (!message.empty()) absl::StrAppend(&text, ": ", message);
  return text;
}

ClientError ErrorFromStatus(const grpc::Status& status) {
  ClientError error;
  error.code = static_cast<absl::StatusCode>(status.error_code());
  error.message = status.error_message();
  google::rpc::Status trailer;
  if (!status.error_details().empty() && trailer.ParseFromString(status.error_details())) {
    for (const auto& detail : trailer.details()) ReadDetail(detail, error);
  }
  return error;
}

ClientError LocalError(absl::StatusCode code, std::string message) {
  ClientError error;
  error.code = code;
  error.message = std::move(message);
  return error;
}

}  // namespace lumaedit::client
