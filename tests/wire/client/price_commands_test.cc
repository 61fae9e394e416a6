// luma-edit quote, budget and report against a scripted gateway.

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "tests/wire/client/child.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kJob[] = "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10";

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

class PriceCommands : public ::testing::Test {
 protected:
  ChildResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), LUMA_EDIT_PROGRAM);
    return RunChild(arguments, {{"LUMA_EDIT_ADDRESS", gateway_.address()}}, "");
  }

  ScriptedGateway gateway_;
};

TEST_F(PriceCommands, QuoteAsksAndSaysHowTheLengthIsKnown) {
  v1::QuoteEditRequest asked;
  gateway_.on_quote = [&](const v1::QuoteEditRequest& request, v1::QuoteEditResponse* quote) {
    asked = request;
    quote->mutable_price()->set_min_usd_micros(4'320'000);
    quote->mutable_price()->set_max_usd_micros(8'640'000);
    quote->set_price_table_version("2026-06-17");
    quote->set_block_price_usd_micros(4'320'000);
    quote->set_min_blocks(1);
    quote->set_max_blocks(2);
    quote->set_duration_basis(v1::QuoteEditResponse::DURATION_BASIS_LINEAGE);
    quote->mutable_source_duration()->set_seconds(5);
    quote->mutable_source_duration()->set_nanos(42'000'000);
    quote->set_near_block_border(true);
    return grpc::Status::OK;
  };
  ChildResult result =
      Run({"quote", "--source-job", kJob, "--format", "hdr-1080p", "--source-duration", "4.5s"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(asked.edit().source_job_id(), kJob);
  EXPECT_EQ(asked.edit().output_format(), v1::OUTPUT_FORMAT_HDR_1080P);
  EXPECT_EQ(asked.declared_source_duration().seconds(), 4);
  EXPECT_EQ(asked.declared_source_duration().nanos(), 500'000'000);
  EXPECT_THAT(Lines(result.out),
              ElementsAre("price          $4.32 – $8.64", "blocks         1 – 2 of 5 s at $4.32",
                          "length         5.042s, that of the video it was made of",
                          HasSubstr("the upstream's rounding is not published"),
                          "price table    2026-06-17"));

  result = Run({"quote", "--generation-id", "g-1", "--json"});
  EXPECT_EQ(asked.edit().generation_id(), "g-1");
  EXPECT_FALSE(asked.has_declared_source_duration());
  v1::QuoteEditResponse quote;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(result.out, &quote).ok()) << result.out;
  EXPECT_EQ(quote.max_blocks(), 2);
  EXPECT_EQ(Run({"quote", "--source-id", kJob}).exit_code, 0);
  EXPECT_EQ(asked.edit().source_id(), kJob);
}

TEST_F(PriceCommands, QuoteNeedsExactlyOneSource) {
  EXPECT_EQ(Run({"quote"}).exit_code, 2);
  EXPECT_EQ(Run({"quote", "--source-job", kJob, "--generation-id", "g"}).exit_code, 2);
}

TEST_F(PriceCommands, ARefusedQuoteSaysWhy) {
  gateway_.on_quote = [](const v1::QuoteEditRequest&, v1::QuoteEditResponse*) {
    return Failure(grpc::StatusCode::FAILED_PRECONDITION, "SOURCE_NOT_READY");
  };
  const ChildResult result = Run({"quote", "--source-job", kJob});
  EXPECT_EQ(result.exit_code, 8);
  EXPECT_THAT(result.err, HasSubstr("SOURCE_NOT_READY"));
}

TEST_F(PriceCommands, BudgetShowsWhatIsLeft) {
  gateway_.on_budget = [](v1::Budget* budget) {
    budget->set_limit_usd_micros(50'000'000);
    budget->set_reserved_usd_micros(1'080'000);
    budget->set_incurred_usd_micros(6'480'000);
    budget->set_uncertain_usd_micros(720'000);
    budget->mutable_window_start_time()->set_seconds(1'793'491'200);
    budget->mutable_window_end_time()->set_seconds(1'796'083'200);
    return grpc::Status::OK;
  };
  const ChildResult result = Run({"budget"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(Lines(result.out),
              ElementsAre("limit          $50.00", "used           $8.28",
                          "  reserved     $1.08  not sent yet", "  incurred     $6.48  accepted",
                          "  uncertain    $0.72  may have been billed", "left           $41.72",
                          "window         2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z"));
  v1::Budget budget;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(Run({"budget", "--json"}).out, &budget).ok());
  EXPECT_EQ(budget.limit_usd_micros(), 50'000'000);
}

TEST_F(PriceCommands, ABudgetWithoutALimitHasNothingLeftToShow) {
  const ChildResult result = Run({"budget"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("limit          none"), Not(HasSubstr("left"))));
}

v1::Job JobOf(const std::string& team, v1::Job::State state, v1::Charge::State charge,
              std::int64_t least, std::int64_t most) {
  v1::Job job = MakeJob(1, state);
  if (!team.empty()) (*job.mutable_labels())["team"] = team;
  job.mutable_charge()->set_state(charge);
  job.mutable_charge()->mutable_amount()->set_min_usd_micros(least);
  job.mutable_charge()->mutable_amount()->set_max_usd_micros(most);
  return job;
}

TEST_F(PriceCommands, AReportAddsUpEveryPageOfTheMonth) {
  std::vector<v1::ListJobsRequest> requests;
  gateway_.on_list = [&](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    requests.push_back(request);
    if (request.page_token().empty()) {
      *response->add_jobs() =
          JobOf("film", v1::Job::STATE_SUCCEEDED, v1::Charge::STATE_INCURRED, 1'080'000, 2'160'000);
      *response->add_jobs() =
          JobOf("", v1::Job::STATE_PENDING, v1::Charge::STATE_RESERVED, 720'000, 720'000);
      *response->add_jobs() =
          JobOf("é\x1b[2J", v1::Job::STATE_HELD, v1::Charge::STATE_UNCERTAIN, 4'320'000, 4'320'000);
      response->set_next_page_token("more");
    } else {
      *response->add_jobs() =
          JobOf("film", v1::Job::STATE_SUCCEEDED, v1::Charge::STATE_INCURRED, 1'080'000, 1'080'000);
      *response->add_jobs() =
          JobOf("film", v1::Job::STATE_FAILED, v1::Charge::STATE_RELEASED, 1'080'000, 1'080'000);
    }
    return grpc::Status::OK;
  };
  ChildResult result = Run({"report", "--by", "team", "--month", "2026-12"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(
      Lines(result.out),
      ElementsAre("team 2026-12  jobs  incurred       uncertain  reserved  states",
                  "film          3     $2.16 – $3.24  -          -         2 SUCCEEDED, 1 FAILED",
                  "é [2J         1     -              $4.32      -         1 HELD",
                  "(no label)    1     -              -          $0.72     1 PENDING",
                  "total         5     $2.16 – $3.24  $4.32      $0.72     1 PENDING, 1 HELD, "
                  "2 SUCCEEDED, 1 FAILED"));
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].created_after().seconds(), 1'796'083'200);
  EXPECT_EQ(requests[0].created_before().seconds(), 1'798'761'600);
  EXPECT_EQ(requests[1].page_token(), "more");
  EXPECT_EQ(requests[1].created_before().seconds(), 1'798'761'600) << "the filter stays";

  result = Run({"report", "--by", "team", "--month", "2026-12", "--json"});
  const auto lines = Lines(result.out);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0],
            "{\"incurred\":{\"maxUsdMicros\":\"3240000\",\"minUsdMicros\":\"2160000\"},"
            "\"jobs\":3,\"jobsByState\":{\"FAILED\":1,\"SUCCEEDED\":2},\"label\":\"team\","
            "\"month\":\"2026-12\",\"reserved\":{\"maxUsdMicros\":\"0\",\"minUsdMicros\":\"0\"},"
            "\"uncertain\":{\"maxUsdMicros\":\"0\",\"minUsdMicros\":\"0\"},\"value\":\"film\"}");
  EXPECT_THAT(lines[2], Not(HasSubstr("\"value\"")));
}

TEST_F(PriceCommands, AReportIsOfTheCurrentMonthUnlessOneIsNamed) {
  std::vector<v1::ListJobsRequest> requests;
  gateway_.on_list = [&](const v1::ListJobsRequest& request, v1::ListJobsResponse*) {
    requests.push_back(request);
    return grpc::Status::OK;
  };
  const auto now = [] { return absl::ToCivilMonth(absl::Now(), absl::UTCTimeZone()); };
  const absl::CivilMonth before = now();
  const ChildResult result = Run({"report", "--by", "team"});
  const absl::CivilMonth after = now();
  EXPECT_EQ(result.exit_code, 0);
  ASSERT_THAT(requests, SizeIs(1));
  const absl::CivilMonth asked = absl::ToCivilMonth(
      absl::FromUnixSeconds(requests[0].created_after().seconds()), absl::UTCTimeZone());
  EXPECT_TRUE(asked == before || asked == after);
  EXPECT_THAT(Lines(result.out), SizeIs(2)) << "a head and an empty total";
  EXPECT_THAT(Run({"report", "--by", "team", "--json"}).out, IsEmpty());
}

TEST_F(PriceCommands, AReportRefusesWhatIsNoMonth) {
  for (const char* month : {"2026-13", "2026-1", "2026", "2026-11-01", "november", "2026-11 "}) {
    EXPECT_EQ(Run({"report", "--by", "team", "--month", month}).exit_code, 2) << month;
  }
  EXPECT_EQ(Run({"report"}).exit_code, 2) << "by what?";
}

TEST_F(PriceCommands, SubmitTakesTheResultOfAJobAsItsSource) {
  EXPECT_EQ(Run({"submit", "--prompt", "Night", "--source-job", kJob}).exit_code, 0);
  ASSERT_THAT(gateway_.submits(), SizeIs(1));
  EXPECT_EQ(gateway_.submits()[0].edit().source_job_id(), kJob);
  EXPECT_EQ(
      Run({"submit", "--prompt", "Night", "--source-job", kJob, "--generation-id", "g"}).exit_code,
      2);
}

}  // namespace
}  // namespace lumaedit::client
