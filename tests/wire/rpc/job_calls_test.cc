// SubmitEdit, GetJob, ListJobs and CancelJob on the wire.
#include <gmock/gmock.h>

#include <set>

#include "absl/strings/ascii.h"
#include "tests/wire/rpc/corpus.h"
#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

class JobCalls : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(gateway_.started().ok()) << gateway_.started();
    stub_ = gateway_.Stub();
  }

  grpc::Status Submit(const v1::SubmitEditRequest& request, v1::Job* job) {
    grpc::ClientContext context;
    return stub_->SubmitEdit(&context, request, job);
  }
  grpc::Status Get(const std::string& id, v1::Job* job) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_job_id(id);
    return stub_->GetJob(&context, request, job);
  }
  v1::CancelJobResponse Cancel(const std::string& id) {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_job_id(id);
    v1::CancelJobResponse response;
    const grpc::Status status = stub_->CancelJob(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  Gateway gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
};

TEST_F(JobCalls, ASubmissionIsDurableWhenItIsAnswered) {
  v1::Job job;
  ASSERT_TRUE(Submit(gateway_.Good(), &job).ok());
  EXPECT_EQ(job.state(), v1::Job::STATE_PENDING);
  EXPECT_EQ(job.sequence(), 1);
  EXPECT_EQ(job.charge().state(), v1::Charge::STATE_RESERVED);
  EXPECT_EQ(job.quote().min_usd_micros(), 1'080'000);
  EXPECT_TRUE(job.has_create_time());
  EXPECT_TRUE(gateway_.store().Get("local", job.id()).ok());
  v1::Job again;
  ASSERT_TRUE(Get(job.id(), &again).ok());
  EXPECT_EQ(again.SerializeAsString().size(), job.SerializeAsString().size());
}

TEST_F(JobCalls, InlineBytesComeBackAsASourceId) {
  v1::SubmitEditRequest request = gateway_.Good();
  request.mutable_edit()->mutable_inline_()->set_data(PaddedVideo(1 << 20));
  request.mutable_edit()->mutable_inline_()->set_media_type("video/mp4");
  v1::Job job;
  ASSERT_TRUE(Submit(request, &job).ok());
  EXPECT_EQ(job.edit().source_case(), v1::Edit::kSourceId);
  EXPECT_NE(job.edit().source_id(), "");
  // The same bytes again are the same request.
  v1::Job again;
  ASSERT_TRUE(Submit(request, &again).ok());
  EXPECT_EQ(again.id(), job.id());
  request.mutable_edit()->mutable_inline_()->set_data("other");
  EXPECT_EQ(FailureOf(Submit(request, &again)).metadata.at("differing_fields"), "edit.inline.data");
}

TEST_F(JobCalls, ARepeatAnswersTheSameJobAsItIsNow) {
  v1::SubmitEditRequest request = gateway_.Good();
  v1::Job first;
  ASSERT_TRUE(Submit(request, &first).ok());
  gateway_.Move(first.id(), JobState::kSubmitting);
  request.set_request_id(absl::AsciiStrToUpper(request.request_id()));
  v1::Job repeat;
  ASSERT_TRUE(Submit(request, &repeat).ok());
  EXPECT_EQ(repeat.id(), first.id());
  EXPECT_EQ(repeat.state(), v1::Job::STATE_SUBMITTING);
  EXPECT_EQ(gateway_.JobCount(), 1);
}

TEST_F(JobCalls, ARepeatWithAnotherBodyNamesTheDifferences) {
  v1::SubmitEditRequest request = gateway_.Good();
  v1::Job job;
  ASSERT_TRUE(Submit(request, &job).ok());
  request.mutable_edit()->set_prompt("Day");
  request.set_max_price_usd_micros(100'000'000);
  const Failure failure = FailureOf(Submit(request, &job));
  EXPECT_EQ(failure.code, grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(failure.reason, "REQUEST_ID_REUSED");
  EXPECT_EQ(failure.metadata.at("differing_fields"), "edit.prompt,max_price_usd_micros");
  EXPECT_EQ(gateway_.JobCount(), 1);
}

TEST_F(JobCalls, RefusalsAreCountedByTheirReason) {
  v1::Job job;
  EXPECT_FALSE(Get("unknown", &job).ok());
  EXPECT_FALSE(Get("unknown", &job).ok());
  EXPECT_FALSE(Get(std::string(65, 'a'), &job).ok());
  grpc::ClientContext context;
  v1::WatchJobResponse message;
  EXPECT_FALSE(stub_->WatchJob(&context, {})->Read(&message));
  EXPECT_TRUE(Submit(gateway_.Good(), &job).ok());
  EXPECT_THAT(gateway_.service().refusals(),
              ElementsAre(Pair("INVALID_FIELDS", 2), Pair("JOB_NOT_FOUND", 2)));
}

TEST_F(JobCalls, AnUnknownJobIsNotFoundInEveryCall) {
  const std::string unknown = gateway_.random().Uuid();
  v1::Job job;
  const Failure get = FailureOf(Get(unknown, &job));
  EXPECT_EQ(get.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(get.reason, "JOB_NOT_FOUND");
  const Failure watch = FailureOf(WatchToEnd(*stub_, unknown).status);
  EXPECT_EQ(watch.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(watch.reason, "JOB_NOT_FOUND");
  grpc::ClientContext context;
  v1::CancelJobRequest request;
  request.set_job_id(unknown);
  v1::CancelJobResponse response;
  EXPECT_EQ(FailureOf(stub_->CancelJob(&context, request, &response)).reason, "JOB_NOT_FOUND");
}

TEST_F(JobCalls, CancelSaysWhatItDoesToTheMoney) {
  const std::string pending = gateway_.SubmitOne();
  EXPECT_EQ(Cancel(pending).result(), v1::CancelJobResponse::RESULT_PREVENTED);
  // A repeat answers the first result.
  const v1::CancelJobResponse repeat = Cancel(pending);
  EXPECT_EQ(repeat.result(), v1::CancelJobResponse::RESULT_PREVENTED);
  EXPECT_EQ(repeat.job().state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(repeat.job().charge().state(), v1::Charge::STATE_RELEASED);

  const std::string sent = gateway_.SubmitOne();
  gateway_.Move(sent, JobState::kSubmitting);
  const v1::CancelJobResponse recorded = Cancel(sent);
  EXPECT_EQ(recorded.result(), v1::CancelJobResponse::RESULT_RECORDED_MAY_BILL);
  EXPECT_TRUE(recorded.job().has_cancel_request_time());

  const std::string done = gateway_.SubmitOne();
  gateway_.Move(done, JobState::kSubmitting);
  gateway_.Move(done, JobState::kQueued);
  gateway_.Move(done, JobState::kSucceeded);
  EXPECT_EQ(Cancel(done).result(), v1::CancelJobResponse::RESULT_TOO_LATE);
}

TEST_F(JobCalls, ListsPagesNewestFirstWithoutGapOrRepeat) {
  std::vector<std::string> ids;
  for (int i = 0; i < 25; ++i) ids.push_back(gateway_.SubmitOne());
  std::vector<std::string> listed;
  v1::ListJobsRequest request;
  request.set_page_size(4);
  do {
    grpc::ClientContext context;
    v1::ListJobsResponse response;
    ASSERT_TRUE(stub_->ListJobs(&context, request, &response).ok());
    EXPECT_LE(response.jobs_size(), 4);
    for (const v1::Job& job : response.jobs()) listed.push_back(job.id());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()),
            std::set<std::string>(ids.begin(), ids.end()));
  EXPECT_EQ(listed.size(), ids.size());
}

TEST_F(JobCalls, ListFiltersByStateAndLabel) {
  v1::SubmitEditRequest labelled = gateway_.Good();
  (*labelled.mutable_labels())["team"] = "film";
  v1::Job job;
  ASSERT_TRUE(Submit(labelled, &job).ok());
  const std::string other = gateway_.SubmitOne();
  gateway_.Move(other, JobState::kSubmitting);

  const auto list = [&](const v1::ListJobsRequest& request) {
    grpc::ClientContext context;
    v1::ListJobsResponse response;
    EXPECT_TRUE(stub_->ListJobs(&context, request, &response).ok());
    std::vector<std::string> out;
    for (const v1::Job& listed : response.jobs()) out.push_back(listed.id());
    return out;
  };
  v1::ListJobsRequest by_label;
  (*by_label.mutable_labels())["team"] = "film";
  EXPECT_THAT(list(by_label), ElementsAre(job.id()));
  v1::ListJobsRequest by_state;
  by_state.add_states(v1::Job::STATE_SUBMITTING);
  EXPECT_THAT(list(by_state), ElementsAre(other));
}

TEST_F(JobCalls, APageEndsAtOneMebibyte) {
  std::string prompt;
  for (int i = 0; i < 6000; ++i) prompt += "😀";  // 24,000 bytes a job
  for (int i = 0; i < 60; ++i) {
    v1::SubmitEditRequest request = gateway_.Good();
    request.mutable_edit()->set_prompt(prompt);
    v1::Job job;
    ASSERT_TRUE(Submit(request, &job).ok());
  }
  int jobs = 0;
  v1::ListJobsRequest request;
  request.set_page_size(500);
  do {
    grpc::ClientContext context;
    v1::ListJobsResponse response;
    ASSERT_TRUE(stub_->ListJobs(&context, request, &response).ok());
    EXPECT_LE(response.ByteSizeLong(), 1'100'000u);
    jobs += response.jobs_size();
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(jobs, 60);
}

TEST_F(JobCalls, WhileDrainingOnlyKnownSubmissionsAreAnswered) {
  const v1::SubmitEditRequest known = gateway_.Good();
  v1::Job job;
  ASSERT_TRUE(Submit(known, &job).ok());
  gateway_.jobs().Drain();
  const Failure failure = FailureOf(Submit(gateway_.Good(), &job));
  EXPECT_EQ(failure.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.reason, "DRAINING");
  EXPECT_TRUE(failure.retry_after.has_value());
  EXPECT_TRUE(Submit(known, &job).ok());
  EXPECT_EQ(gateway_.JobCount(), 1);
}

TEST_F(JobCalls, WhatIsInFlightIsBounded) {
  GatewayOptions options;
  options.rpc.submit_bytes_in_flight = 1000;
  Gateway small(options);
  ASSERT_TRUE(small.started().ok());
  v1::SubmitEditRequest request = small.Good();
  request.mutable_edit()->set_prompt(std::string(2000, 'x'));
  grpc::ClientContext context;
  v1::Job job;
  const Failure failure = FailureOf(small.Stub()->SubmitEdit(&context, request, &job));
  EXPECT_EQ(failure.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(failure.reason, "OVERLOADED");
  // What was refused is given back.
  EXPECT_NE(small.SubmitOne(), "");
  EXPECT_NE(small.SubmitOne(), "");
}

TEST_F(JobCalls, PromptsReachNoLog) {
  v1::SubmitEditRequest request = gateway_.Good();
  request.mutable_edit()->set_prompt("a canary in a prompt");
  v1::Job job;
  ASSERT_TRUE(Submit(request, &job).ok());
  EXPECT_FALSE(gateway_.log().Contains("canary"));
}

}  // namespace
}  // namespace lumaedit
