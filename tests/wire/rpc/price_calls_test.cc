// QuoteEdit, GetBudget, and what SubmitEdit does with price, budget and lineage, on the wire.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "server/base/hash.h"
#include "server/job/state_rules.h"
#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::int64_t kBlock = 1'080'000;  // SDR 720p

class PriceCalls : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }

  void Start(const BudgetSettings& budget) {
    stub_.reset();
    gateway_.reset();
    GatewayOptions options;
    options.budget = budget;
    gateway_ = std::make_unique<Gateway>(options);
    ASSERT_TRUE(gateway_->started().ok()) << gateway_->started();
    stub_ = gateway_->Stub();
  }

  grpc::Status Quote(const v1::QuoteEditRequest& request, v1::QuoteEditResponse* quote) {
    grpc::ClientContext context;
    return stub_->QuoteEdit(&context, request, quote);
  }
  v1::QuoteEditResponse Quoted(const v1::QuoteEditRequest& request) {
    v1::QuoteEditResponse quote;
    const grpc::Status status = Quote(request, &quote);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return quote;
  }
  grpc::Status Submit(const v1::SubmitEditRequest& request, v1::Job* job) {
    grpc::ClientContext context;
    return stub_->SubmitEdit(&context, request, job);
  }
  v1::Job Submitted(const v1::SubmitEditRequest& request) {
    v1::Job job;
    const grpc::Status status = Submit(request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }
  v1::Budget Budget() {
    grpc::ClientContext context;
    v1::Budget budget;
    const grpc::Status status = stub_->GetBudget(&context, {}, &budget);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return budget;
  }

  // A READY source of this length; zero: not measured.
  std::string Source(absl::Duration duration, const std::string& caller = "local") {
    SourceInfo info;
    info.caller = caller;
    info.id = gateway_->random().Uuid();
    info.media_type = "video/mp4";
    info.size_bytes = 5;
    info.sha256 = Sha256Hex("video");
    info.expire_time = absl::Now() + absl::Hours(1);
    EXPECT_TRUE(gateway_->sources().Open(info).ok());
    EXPECT_TRUE(gateway_->sources().Append(caller, info.id, 0, "video").ok());
    EXPECT_TRUE(gateway_->sources().Finish(caller, info.id, duration).ok());
    return info.id;
  }

  // A job that has SUCCEEDED with this generation id; empty: without one.
  std::string SucceededJob(const v1::SubmitEditRequest& request, const std::string& generation_id) {
    const std::string id = Submitted(request).id();
    Succeed(id, generation_id);
    return id;
  }
  void Succeed(const std::string& id, const std::string& generation_id) {
    gateway_->Move(id, JobState::kSubmitting);
    gateway_->Move(id, JobState::kQueued);
    auto change = gateway_->store().Update(
        id, nullptr, [&](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
          Decision decision;
          decision.job = view.job;
          decision.job.state = JobState::kSucceeded;
          decision.job.charge.state = ChargeState::kIncurred;
          decision.job.outcome =
              Outcome{"https://storage.example.test/v.mp4", "", generation_id, {}, absl::Now()};
          return decision;
        });
    ASSERT_TRUE(change.ok()) << change.status();
  }
  // The same of another caller.
  std::string ForeignJob(const std::string& generation_id) {
    NewJob foreign;
    foreign.job.id = gateway_->random().Uuid();
    foreign.job.caller = "somebody else";
    foreign.job.request_id = gateway_->random().Uuid();
    foreign.job.edit.prompt = "p";
    foreign.job.edit.source = GenerationSource{"g"};
    foreign.job.create_time = absl::Now();
    foreign.job.source_length = {absl::Seconds(3), DurationBasis::kProbed};
    EXPECT_TRUE(gateway_->store().Insert(foreign).ok());
    Succeed(foreign.job.id, generation_id);
    return foreign.job.id;
  }

  v1::SubmitEditRequest OfSource(const std::string& source_id) {
    v1::SubmitEditRequest request = gateway_->Good();
    request.mutable_edit()->set_source_id(source_id);
    return request;
  }
  v1::SubmitEditRequest OfJob(const std::string& job_id) {
    v1::SubmitEditRequest request = gateway_->Good();
    request.mutable_edit()->set_source_job_id(job_id);
    return request;
  }
  static v1::QuoteEditRequest QuoteOf(const v1::SubmitEditRequest& request) {
    v1::QuoteEditRequest quote;
    *quote.mutable_edit() = request.edit();
    quote.mutable_edit()->clear_prompt();
    if (request.has_declared_source_duration()) {
      *quote.mutable_declared_source_duration() = request.declared_source_duration();
    }
    return quote;
  }

  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
};

TEST_F(PriceCalls, AnUnknownLengthIsOneToSixBlocks) {
  const v1::QuoteEditResponse quote = Quoted(QuoteOf(gateway_->Good()));
  EXPECT_EQ(quote.price_table_version(), "2026-06-17");
  EXPECT_EQ(quote.block_price_usd_micros(), kBlock);
  EXPECT_EQ(quote.min_blocks(), 1);
  EXPECT_EQ(quote.max_blocks(), 6);
  EXPECT_EQ(quote.price().min_usd_micros(), kBlock);
  EXPECT_EQ(quote.price().max_usd_micros(), 6 * kBlock);
  EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_UNKNOWN);
  EXPECT_FALSE(quote.has_source_duration());
  EXPECT_FALSE(quote.near_block_border());
  EXPECT_EQ(gateway_->JobCount(), 0);
  EXPECT_EQ(Budget().reserved_usd_micros(), 0);
}

TEST_F(PriceCalls, ADeclaredLengthIsBelievedWhereNothingWasMeasured) {
  v1::QuoteEditRequest request = QuoteOf(gateway_->Good());
  request.mutable_declared_source_duration()->set_seconds(12);
  request.mutable_declared_source_duration()->set_nanos(300'000'001);
  request.mutable_edit()->set_output_format(v1::OUTPUT_FORMAT_HDR_1080P);
  const v1::QuoteEditResponse quote = Quoted(request);
  EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_DECLARED);
  EXPECT_EQ(quote.price().min_usd_micros(), 12'960'000);
  EXPECT_EQ(quote.price().max_usd_micros(), 12'960'000);
  EXPECT_EQ(quote.source_duration().seconds(), 12);
  EXPECT_EQ(quote.source_duration().nanos(), 300'001'000) << "rounded up to microseconds";
}

TEST_F(PriceCalls, AMeasuredLengthWinsOverADeclaredOne) {
  for (const int declared : {1, 29}) {
    v1::SubmitEditRequest request = OfSource(Source(absl::Milliseconds(7300)));
    request.mutable_declared_source_duration()->set_seconds(declared);
    const v1::QuoteEditResponse quote = Quoted(QuoteOf(request));
    EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_PROBED);
    EXPECT_EQ(quote.min_blocks(), 2);
    EXPECT_EQ(quote.max_blocks(), 2);
    EXPECT_EQ(quote.source_duration().seconds(), 7);
    EXPECT_EQ(quote.source_duration().nanos(), 300'000'000);
    EXPECT_EQ(Submitted(request).quote().max_usd_micros(), 2 * kBlock);
  }
}

TEST_F(PriceCalls, NearABorderBothPricesAreInTheBounds) {
  const v1::SubmitEditRequest request = OfSource(Source(absl::Milliseconds(5042)));
  const v1::QuoteEditResponse quote = Quoted(QuoteOf(request));
  EXPECT_TRUE(quote.near_block_border());
  EXPECT_EQ(quote.min_blocks(), 1);
  EXPECT_EQ(quote.max_blocks(), 2);
  const v1::Job job = Submitted(request);
  EXPECT_EQ(job.quote().min_usd_micros(), kBlock);
  EXPECT_EQ(job.quote().max_usd_micros(), 2 * kBlock);
  EXPECT_EQ(Budget().reserved_usd_micros(), 2 * kBlock) << "budgets count the most";
}

TEST_F(PriceCalls, ASourceIsPricedOnlyForItsOwner) {
  v1::QuoteEditResponse quote;
  const Failure foreign =
      FailureOf(Quote(QuoteOf(OfSource(Source(absl::Seconds(3), "somebody else"))), &quote));
  const Failure missing = FailureOf(Quote(QuoteOf(OfSource(gateway_->random().Uuid())), &quote));
  EXPECT_EQ(foreign, missing);
  EXPECT_EQ(missing.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(missing.reason, "SOURCE_NOT_FOUND");
  v1::Job job;
  EXPECT_EQ(FailureOf(Submit(OfSource(gateway_->random().Uuid()), &job)), missing);
}

TEST_F(PriceCalls, AnUnfinishedUploadHasNoPrice) {
  SourceInfo info;
  info.caller = "local";
  info.id = gateway_->random().Uuid();
  info.media_type = "video/mp4";
  info.size_bytes = 5;
  info.sha256 = Sha256Hex("video");
  info.expire_time = absl::Now() + absl::Hours(1);
  ASSERT_TRUE(gateway_->sources().Open(info).ok());
  v1::QuoteEditResponse quote;
  const Failure unfinished = FailureOf(Quote(QuoteOf(OfSource(info.id)), &quote));
  EXPECT_EQ(unfinished.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(unfinished.reason, "SOURCE_NOT_READY");

  ASSERT_TRUE(gateway_->sources().Reject("local", info.id, ErrorReason::kNotAVideo).ok());
  const Failure rejected = FailureOf(Quote(QuoteOf(OfSource(info.id)), &quote));
  EXPECT_EQ(rejected.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(rejected.reason, "NOT_A_VIDEO");
}

TEST_F(PriceCalls, AChainOfEditsKeepsTheMeasuredLength) {
  const std::string first = SucceededJob(OfSource(Source(absl::Milliseconds(7300))), "gen-1");
  const v1::SubmitEditRequest second_request = OfJob(first);
  const v1::QuoteEditResponse quote = Quoted(QuoteOf(second_request));
  EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_LINEAGE);
  EXPECT_EQ(quote.max_blocks(), 2);
  EXPECT_EQ(quote.source_duration().nanos(), 300'000'000);

  const v1::Job second = Submitted(second_request);
  EXPECT_EQ(second.edit().source_job_id(), first) << "as submitted";
  EXPECT_EQ(second.quote().max_usd_micros(), 2 * kBlock);
  const auto stored = gateway_->store().Get("local", second.id());
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(std::get<JobSource>(stored->edit.source).generation_id, "gen-1") << "what is sent";

  // And on: by job, and by the generation id of the caller's own outcome.
  Succeed(second.id(), "gen-2");
  EXPECT_EQ(Quoted(QuoteOf(OfJob(second.id()))).duration_basis(),
            v1::QuoteEditResponse::DURATION_BASIS_LINEAGE);
  v1::SubmitEditRequest by_generation = gateway_->Good();
  by_generation.mutable_edit()->set_generation_id("gen-2");
  by_generation.mutable_declared_source_duration()->set_seconds(1);
  const v1::QuoteEditResponse third = Quoted(QuoteOf(by_generation));
  EXPECT_EQ(third.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_LINEAGE);
  EXPECT_EQ(third.max_blocks(), 2) << "a shorter declared length does not make it cheaper";
}

TEST_F(PriceCalls, AChainFromAnUnmeasuredSourceIsOnlyAsSureAsItsBeginning) {
  const std::string unknown = SucceededJob(gateway_->Good(), "gen-u");
  EXPECT_EQ(Quoted(QuoteOf(OfJob(unknown))).duration_basis(),
            v1::QuoteEditResponse::DURATION_BASIS_UNKNOWN);
  v1::SubmitEditRequest declared = gateway_->Good();
  declared.mutable_declared_source_duration()->set_seconds(8);
  const std::string said = SucceededJob(declared, "gen-d");
  v1::QuoteEditResponse quote = Quoted(QuoteOf(OfJob(said)));
  EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_DECLARED);
  EXPECT_EQ(quote.max_blocks(), 2);
  v1::SubmitEditRequest again = OfJob(said);
  again.mutable_declared_source_duration()->set_seconds(12);
  quote = Quoted(QuoteOf(again));
  EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_DECLARED);
  EXPECT_EQ(quote.max_blocks(), 3);
}

TEST_F(PriceCalls, AJobIsASourceOnlyWhenItHasAResultOfTheCallers) {
  v1::QuoteEditResponse quote;
  v1::Job job;
  const Failure missing = FailureOf(Submit(OfJob(gateway_->random().Uuid()), &job));
  EXPECT_EQ(missing.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(missing.reason, "SOURCE_NOT_READY");
  EXPECT_THAT(missing.metadata, IsEmpty());
  const std::string foreign = ForeignJob("gen-foreign");
  EXPECT_EQ(FailureOf(Submit(OfJob(foreign), &job)), missing);
  EXPECT_EQ(FailureOf(Quote(QuoteOf(OfJob(foreign)), &quote)), missing);

  const std::string pending = gateway_->SubmitOne();
  const Failure unfinished = FailureOf(Submit(OfJob(pending), &job));
  EXPECT_EQ(unfinished.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(unfinished.reason, "SOURCE_NOT_READY");
  EXPECT_EQ(unfinished.metadata.at("job_state"), "PENDING");
  EXPECT_EQ(FailureOf(Quote(QuoteOf(OfJob(pending)), &quote)), unfinished);

  const std::string without = SucceededJob(gateway_->Good(), "");
  const Failure no_generation = FailureOf(Submit(OfJob(without), &job));
  EXPECT_EQ(no_generation.reason, "SOURCE_NOT_READY");
  EXPECT_EQ(no_generation.metadata.at("job_state"), "SUCCEEDED");
}

TEST_F(PriceCalls, AnotherCallersOutcomeIsNoSource) {
  ForeignJob("gen-foreign");
  v1::SubmitEditRequest request = gateway_->Good();
  request.mutable_edit()->set_generation_id("gen-foreign");
  v1::Job job;
  v1::QuoteEditResponse quote;
  const Failure refused = FailureOf(Submit(request, &job));
  EXPECT_EQ(refused.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.fields, ElementsAre("edit.generation_id"));
  EXPECT_EQ(FailureOf(Quote(QuoteOf(request), &quote)), refused);
  EXPECT_EQ(gateway_->JobCount(), 0);
}

TEST_F(PriceCalls, ARepeatComparesTheSourceJobAsSubmitted) {
  const std::string first = SucceededJob(gateway_->Good(), "gen-1");
  const std::string other = SucceededJob(gateway_->Good(), "gen-2");
  v1::SubmitEditRequest request = OfJob(first);
  const std::string id = Submitted(request).id();
  EXPECT_EQ(Submitted(request).id(), id);

  v1::Job job;
  request.mutable_edit()->set_source_job_id(other);
  Failure failure = FailureOf(Submit(request, &job));
  EXPECT_EQ(failure.reason, "REQUEST_ID_REUSED");
  EXPECT_EQ(failure.metadata.at("differing_fields"), "edit.source_job_id");
  request.mutable_edit()->set_generation_id("gen-1");
  failure = FailureOf(Submit(request, &job));
  EXPECT_EQ(failure.metadata.at("differing_fields"), "edit.source");
}

TEST_F(PriceCalls, APriceAboveTheLimitIsRefusedWithItsBounds) {
  v1::SubmitEditRequest request = gateway_->Good();
  request.set_max_price_usd_micros(6 * kBlock - 1);
  v1::Job job;
  const Failure failure = FailureOf(Submit(request, &job));
  EXPECT_EQ(failure.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(failure.reason, "PRICE_ABOVE_LIMIT");
  EXPECT_EQ(failure.metadata.at("min_usd_micros"), std::to_string(kBlock));
  EXPECT_EQ(failure.metadata.at("max_usd_micros"), std::to_string(6 * kBlock));
  EXPECT_EQ(failure.metadata.at("max_price_usd_micros"), std::to_string(6 * kBlock - 1));
  EXPECT_EQ(gateway_->JobCount(), 0);
  request.set_max_price_usd_micros(6 * kBlock);
  EXPECT_TRUE(Submit(request, &job).ok()) << "the limit itself is allowed";
}

TEST_F(PriceCalls, AQuoteNamesEveryWrongField) {
  v1::QuoteEditRequest request;
  request.mutable_edit()->set_output_format(static_cast<v1::OutputFormat>(8));
  request.mutable_declared_source_duration()->set_seconds(31);
  v1::QuoteEditResponse quote;
  const Failure failure = FailureOf(Quote(request, &quote));
  EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(failure.fields,
              ElementsAre("edit.source", "edit.output_format", "declared_source_duration"));
}

TEST_F(PriceCalls, ABudgetWithoutALimitIsCountedAllTheSame) {
  EXPECT_FALSE(Budget().has_limit_usd_micros());
  const std::string id = gateway_->SubmitOne();
  v1::Budget budget = Budget();
  EXPECT_EQ(budget.reserved_usd_micros(), 6 * kBlock);
  EXPECT_LE(budget.window_start_time().seconds(), absl::ToUnixSeconds(absl::Now()));
  EXPECT_GT(budget.window_end_time().seconds(), absl::ToUnixSeconds(absl::Now()));
  ForeignJob("gen-foreign");
  EXPECT_EQ(Budget().incurred_usd_micros(), 0) << "of others";

  gateway_->Move(id, JobState::kSubmitting);
  gateway_->Move(id, JobState::kUnconfirmed);
  EXPECT_EQ(Budget().reserved_usd_micros(), 0);
  EXPECT_EQ(Budget().uncertain_usd_micros(), 6 * kBlock);
  gateway_->Move(id, JobState::kQueued);
  EXPECT_EQ(Budget().uncertain_usd_micros(), 0);
  EXPECT_EQ(Budget().incurred_usd_micros(), 6 * kBlock);
}

TEST_F(PriceCalls, AReleasedChargeGivesItsRoomBack) {
  Start({6 * kBlock, BudgetWindow::kDay});
  const std::string id = gateway_->SubmitOne();
  v1::Job job;
  const v1::SubmitEditRequest request = gateway_->Good();
  const Failure failure = FailureOf(Submit(request, &job));
  EXPECT_EQ(failure.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(failure.reason, "BUDGET_EXCEEDED");
  EXPECT_THAT(failure.quotas, ElementsAre("budget:caller"));
  EXPECT_EQ(failure.metadata.at("limit_usd_micros"), std::to_string(6 * kBlock));
  EXPECT_EQ(failure.metadata.at("used_usd_micros"), std::to_string(6 * kBlock));

  grpc::ClientContext context;
  v1::CancelJobRequest cancel;
  cancel.set_job_id(id);
  v1::CancelJobResponse cancelled;
  ASSERT_TRUE(stub_->CancelJob(&context, cancel, &cancelled).ok());
  EXPECT_EQ(Budget().reserved_usd_micros(), 0);
  EXPECT_TRUE(Submit(request, &job).ok()) << "with the request id that was refused before";
}

TEST_F(PriceCalls, FiveHundredAtOnceAgainstRoomForSevenLetExactlySevenIn) {
  Start({7 * kBlock + kBlock - 1, BudgetWindow::kMonth});
  constexpr int kThreads = 20;
  constexpr int kEach = 25;
  std::vector<v1::SubmitEditRequest> requests;
  for (int i = 0; i < kThreads * kEach; ++i) {
    requests.push_back(gateway_->Good());
    requests.back().mutable_declared_source_duration()->set_seconds(3);
  }
  std::atomic<int> in = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // All of a thread's calls are out at once.
      grpc::CompletionQueue queue;
      std::vector<grpc::ClientContext> contexts(kEach);
      std::vector<v1::Job> jobs(kEach);
      std::vector<grpc::Status> statuses(kEach);
      std::vector<std::unique_ptr<grpc::ClientAsyncResponseReader<v1::Job>>> calls;
      for (int i = 0; i < kEach; ++i) {
        calls.push_back(stub_->AsyncSubmitEdit(&contexts[i], requests[t * kEach + i], &queue));
      }
      for (int i = 0; i < kEach; ++i) calls[i]->Finish(&jobs[i], &statuses[i], nullptr);
      for (int i = 0; i < kEach; ++i) {
        void* tag = nullptr;
        bool ok = false;
        ASSERT_TRUE(queue.Next(&tag, &ok));
      }
      for (const grpc::Status& status : statuses) {
        if (status.ok()) {
          ++in;
        } else if (FailureOf(status).reason == "BUDGET_EXCEEDED") {
          ++refused;
        } else {
          ADD_FAILURE() << status.error_message();
        }
      }
      queue.Shutdown();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(in, 7);
  EXPECT_EQ(refused, kThreads * kEach - 7);
  EXPECT_EQ(gateway_->JobCount(), 7);
  EXPECT_EQ(Budget().reserved_usd_micros(), 7 * kBlock);
}

}  // namespace
}  // namespace lumaedit
