#include "server/rpc/status_mapper.h"

#include <gmock/gmock.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/job/error.h"

namespace lumaedit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

google::rpc::Status Trailer(const grpc::Status& status) {
  google::rpc::Status trailer;
  EXPECT_TRUE(trailer.ParseFromString(status.error_details()));
  return trailer;
}

template <typename Detail>
std::optional<Detail> Find(const google::rpc::Status& trailer) {
  for (const auto& any : trailer.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

TEST(ToGrpcStatus, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(ToGrpcStatus, CarriesReasonDomainMetadataAndRetry) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kSequenceOutOfRange;
  detail.metadata["newest_sequence"] = "7";
  detail.retry_after = absl::Milliseconds(1500);
  const grpc::Status status =
      ToGrpcStatus(MakeError(absl::StatusCode::kOutOfRange, detail, "too far"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(status.error_message(), "too far");
  const auto trailer = Trailer(status);
  EXPECT_EQ(trailer.code(), 11);
  EXPECT_EQ(trailer.message(), "too far");
  const auto info = Find<google::rpc::ErrorInfo>(trailer);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason(), "SEQUENCE_OUT_OF_RANGE");
  EXPECT_EQ(info->domain(), "lumaedit.v1");
  EXPECT_EQ(info->metadata().at("newest_sequence"), "7");
  const auto retry = Find<google::rpc::RetryInfo>(trailer);
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->retry_delay().seconds(), 1);
  EXPECT_EQ(retry->retry_delay().nanos(), 500'000'000);
  EXPECT_FALSE(Find<google::rpc::BadRequest>(trailer).has_value());
}

TEST(ToGrpcStatus, ShowsTheFirstTwentyViolationsAndTheCount) {
  std::vector<Violation> violations;
  for (int i = 0; i < 33; ++i) violations.push_back({"f" + std::to_string(i), "is wrong"});
  const auto trailer = Trailer(ToGrpcStatus(InvalidFields(violations)));
  const auto bad_request = Find<google::rpc::BadRequest>(trailer);
  ASSERT_TRUE(bad_request.has_value());
  ASSERT_EQ(bad_request->field_violations_size(), 20);
  EXPECT_EQ(bad_request->field_violations(19).field(), "f19");
  EXPECT_EQ(bad_request->field_violations(0).description(), "is wrong");
  const auto info = Find<google::rpc::ErrorInfo>(trailer);
  EXPECT_EQ(info->reason(), "INVALID_FIELDS");
  EXPECT_EQ(info->metadata().at("violation_count"), "33");
}

TEST(ToGrpcStatus, StaysBelowWhatClientsAcceptAsMetadata) {
  std::vector<Violation> violations;
  for (int i = 0; i < 1000; ++i) {
    violations.push_back({std::string(5000, 'f'), std::string(5000, '\xC3')});
  }
  const grpc::Status status = ToGrpcStatus(InvalidFields(violations));
  // base64 in the trailer, beside the message, within 8 KB.
  EXPECT_LT(status.error_details().size() * 4 / 3 + status.error_message().size(), 7'800u);
  EXPECT_GE(Find<google::rpc::BadRequest>(Trailer(status))->field_violations_size(), 1);
}

TEST(ToGrpcStatus, HidesTheTextOfFaults) {
  const absl::Status fault = absl::InternalError("SELECT secret");
  EXPECT_TRUE(IsHiddenFault(fault));
  const grpc::Status status = ToGrpcStatus(fault);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), Not(HasSubstr("secret")));
  EXPECT_THAT(status.error_details(), Not(HasSubstr("secret")));
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(Trailer(status))->reason(), "INTERNAL");
}

TEST(ToGrpcStatus, ADroppedReplySaysWhenToComeBack) {
  const auto trailer = Trailer(ToGrpcStatus(absl::UnavailableError("the gateway is stopping")));
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(trailer)->reason(), "DRAINING");
  EXPECT_TRUE(Find<google::rpc::RetryInfo>(trailer).has_value());
}

TEST(ToGrpcStatus, CutsATextBetweenCharacters) {
  std::string text;
  while (text.size() < 2000) text += "é";
  const grpc::Status status = ToGrpcStatus(absl::NotFoundError("x" + text));
  EXPECT_LE(status.error_message().size(), 1024u);
  EXPECT_THAT(status.error_message(), Not(HasSubstr("?")));
}

}  // namespace
}  // namespace lumaedit
