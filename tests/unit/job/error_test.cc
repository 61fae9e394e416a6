#include "server/job/error.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

TEST(Error, DetailComesBack) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kBudgetExceeded;
  detail.metadata = {{"limit_usd_micros", "100"}, {"empty", ""}, {"scope", "caller \"a\"\n"}};
  detail.violations = {{"edit.prompt", "too long"}, {"labels[\"x\"]", ""}};
  detail.retry_after = absl::Milliseconds(1500);
  const absl::Status status =
      MakeError(absl::StatusCode::kResourceExhausted, detail, "the budget is used up");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "the budget is used up");
  const ErrorDetail back = DetailOf(status);
  EXPECT_EQ(back.reason, detail.reason);
  EXPECT_EQ(back.metadata, detail.metadata);
  EXPECT_EQ(back.violations, detail.violations);
  EXPECT_EQ(back.retry_after, detail.retry_after);
  EXPECT_TRUE(HasReason(status, ErrorReason::kBudgetExceeded));
}

TEST(Error, NoRetryIsInfinite) {
  const absl::Status status =
      MakeError(absl::StatusCode::kNotFound, ErrorReason::kJobNotFound, "no such job");
  EXPECT_EQ(DetailOf(status).retry_after, absl::InfiniteDuration());
  ErrorDetail now;
  now.retry_after = absl::ZeroDuration();
  EXPECT_EQ(DetailOf(MakeError(absl::StatusCode::kUnavailable, now, "")).retry_after,
            absl::ZeroDuration());
}

TEST(Error, AStatusFromElsewhereHasNoReason) {
  EXPECT_EQ(DetailOf(absl::InternalError("x")).reason, ErrorReason::kUnspecified);
  EXPECT_EQ(DetailOf(absl::OkStatus()).reason, ErrorReason::kUnspecified);
}

TEST(Error, SeparatorsInTextForgeNothing) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kInvalidFields;
  detail.violations = {{"a\x1Fz",
                        "x\x1Er\x1F"
                        "41\x1F-"}};
  const ErrorDetail back = DetailOf(MakeError(absl::StatusCode::kInvalidArgument, detail, "m"));
  EXPECT_EQ(back.reason, ErrorReason::kInvalidFields);
  ASSERT_EQ(back.violations.size(), 1u);
  EXPECT_EQ(back.violations[0].field, "a z");
}

TEST(Error, InvalidFieldsNamesTheFirstOnes) {
  std::vector<Violation> many;
  for (int i = 0; i < 30; ++i) many.push_back({"f" + std::to_string(i), "bad"});
  const absl::Status status = InvalidFields(many);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "f0: bad; f1: bad; f2: bad; f3: bad; f4: bad; and 25 more");
  EXPECT_EQ(DetailOf(status).violations.size(), 30u);
  EXPECT_EQ(DetailOf(status).metadata.at("violation_count"), "30");
}

TEST(Error, EveryReasonHasAName) {
  for (int i = 1; i <= 70; ++i) {
    const auto name = ErrorReasonName(static_cast<ErrorReason>(i));
    const bool exists = (i >= 1 && i <= 8) || (i >= 20 && i <= 53) || i == 70;
    EXPECT_EQ(name != "UNSPECIFIED", exists) << i;
  }
}

}  // namespace
}  // namespace lumaedit
