// Exit codes, JSON and the lines that luma-edit prints.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "client/cli/exit_code.h"
#include "client/cli/json.h"
#include "client/cli/printer.h"

namespace lumaedit::client::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ClientError Error(absl::StatusCode code, v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED) {
  ClientError error = LocalError(code, "m");
  error.reason = reason;
  return error;
}

TEST(ExitCodeTest, OfStates) {
  EXPECT_EQ(ExitCodeOf(v1::Job::STATE_SUCCEEDED), 0);
  EXPECT_EQ(ExitCodeOf(v1::Job::STATE_FAILED), 1);
  EXPECT_EQ(ExitCodeOf(v1::Job::STATE_HELD), 3);
  EXPECT_EQ(ExitCodeOf(v1::Job::STATE_CANCELLED), 4);
  EXPECT_EQ(ExitCodeOf(v1::Job::STATE_EXPIRED), 5);
}

TEST(ExitCodeTest, OfErrors) {
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kInvalidArgument)), 2);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kOutOfRange)), 2);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kNotFound)), 6);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kUnavailable)), 7);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kDeadlineExceeded)), 7);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kAlreadyExists)), 8);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kFailedPrecondition)), 8);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kResourceExhausted)), 9);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kPermissionDenied)), 10);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kUnauthenticated)), 10);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kInternal)), 11);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kUnimplemented)), 11);
}

TEST(ExitCodeTest, TheReasonDecidesBeforeTheCode) {
  EXPECT_EQ(
      ExitCodeOf(Error(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_PRICE_ABOVE_LIMIT)),
      9);
  EXPECT_EQ(ExitCodeOf(Error(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_OVERLOADED)),
            7);
}

TEST(ExitCodeTest, HelpNamesEachCodeOnce) {
  for (const int code : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 130}) {
    EXPECT_THAT(ExitCodeHelp(), HasSubstr("\n  " + std::to_string(code) + " "));
  }
}

TEST(JsonTest, KeepsProtobufsMappingOnOneLine) {
  v1::Job job;
  job.set_id("j");
  job.set_state(v1::Job::STATE_QUEUED);
  job.mutable_quote()->set_max_usd_micros(9007199254740993);
  job.mutable_edit()->set_prompt("two\nlines \x1b[2J");
  EXPECT_EQ(ToJson(job),
            R"({"id":"j","state":"STATE_QUEUED","edit":{"prompt":"two\nlines \u001b[2J"},)"
            R"("quote":{"maxUsdMicros":"9007199254740993"}})");
}

TEST(JsonTest, LabelsComeInOrder) {
  v1::Job job;
  for (const char* key : {"d", "b", "e", "a", "c"}) (*job.mutable_labels())[key] = key;
  EXPECT_EQ(ToJson(job), R"({"labels":{"a":"a","b":"b","c":"c","d":"d","e":"e"}})");
}

TEST(JsonTest, OfErrors) {
  ClientError error = Error(absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorJson(error), R"({"error":{"code":"UNAVAILABLE","message":"m"}})");
  error.reason_name = "OVERLOADED";
  error.message = "say \"when\"\x1b";
  error.metadata = {{"b", "2"}, {"a", "1"}};
  error.retry_after = absl::Milliseconds(1500);
  EXPECT_EQ(
      ErrorJson(error),
      R"({"error":{"code":"UNAVAILABLE","reason":"OVERLOADED","message":"say \"when\"\u001b",)"
      R"("metadata":{"a":"1","b":"2"},"retryAfter":"1.5s"}})");
}

TEST(PrinterTest, AJobIsCleanedAndInOrder) {
  v1::Job job;
  job.set_id("j");
  job.set_state(v1::Job::STATE_QUEUED);
  job.set_upstream_status("queued\x1b[2J");
  (*job.mutable_labels())["b"] = "2";
  (*job.mutable_labels())["a"] = "1";
  std::ostringstream out;
  std::ostringstream err;
  Printer(out, err, /*json=*/false, nullptr).PrintJob(job);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("job            j\n"), HasSubstr("QUEUED (upstream: queued"),
                    HasSubstr("a=1 b=2"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(err.str(), IsEmpty());
}

TEST(PrinterTest, ATransitionForAPipeIsOneLineWithAllOfIt) {
  v1::Transition transition;
  transition.set_sequence(7);
  transition.set_state(v1::Job::STATE_FAILED);
  transition.mutable_record_time()->set_seconds(1790000000);
  transition.mutable_charge()->set_state(v1::Charge::STATE_RELEASED);
  transition.mutable_charge()->mutable_amount()->set_min_usd_micros(1080000);
  transition.mutable_charge()->mutable_amount()->set_max_usd_micros(1080000);
  transition.mutable_error()->set_reason(v1::ERROR_REASON_UPSTREAM_REFUSED);
  transition.mutable_error()->set_message("refused");
  transition.mutable_error()->set_upstream_code("400");
  transition.mutable_error()->set_upstream_message("no\nway");
  transition.mutable_error()->set_may_succeed_if_submitted_again(true);
  EXPECT_EQ(
      TransitionLine(transition, /*full=*/true),
      "2026-09-21T14:13:20Z   7  FAILED       $1.08 released  error=UPSTREAM_REFUSED: refused "
      "(upstream: 400 no way); a new submission may succeed");
  EXPECT_EQ(TransitionLine(transition, /*full=*/false),
            "2026-09-21T14:13:20Z   7  FAILED       $1.08 released");
}

TEST(PrinterTest, ErrorsAreCleaned) {
  std::ostringstream out;
  std::ostringstream err;
  ClientError error = LocalError(absl::StatusCode::kInvalidArgument, "bad\x1b[31m");
  error.violations = {{"edit.prompt\r", "is\nempty"}};
  Printer(out, err, /*json=*/false, nullptr).PrintError(error);
  EXPECT_EQ(err.str(), "luma-edit: INVALID_ARGUMENT: bad [31m\n  edit.prompt: is empty\n");
  EXPECT_THAT(out.str(), IsEmpty());
}

}  // namespace
}  // namespace lumaedit::client::cli
