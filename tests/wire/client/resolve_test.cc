// Resolve and Refresh through the client library.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::SizeIs;

constexpr char kJob[] = "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10";

class ResolveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ClientOptions options;
    options.connection.address = gateway_.address();
    options.connection.connect_timeout = absl::Seconds(5);
    options.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    auto client = Client::Create(options);
    ASSERT_TRUE(client.ok());
    client_ = std::move(*client);
    adopt_.set_job_id(kJob);
    adopt_.set_expected_sequence(4);
    adopt_.set_adopt_upstream_id("up-1");
    abandon_.set_job_id(kJob);
    abandon_.set_expected_sequence(4);
    abandon_.set_abandon(true);
  }

  // The first call is done and its answer lost; the second hears that the hold is over.
  void LoseTheFirstAnswer() {
    gateway_.on_resolve = [this](const v1::ResolveJobRequest& request, v1::Job*) {
      calls_.push_back(request);
      if (calls_.size() == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
      return Failure(grpc::StatusCode::FAILED_PRECONDITION, "NOT_HELD");
    };
  }

  ScriptedGateway gateway_;
  std::unique_ptr<Client> client_;
  v1::ResolveJobRequest adopt_;
  v1::ResolveJobRequest abandon_;
  std::vector<v1::ResolveJobRequest> calls_;
};

TEST_F(ResolveTest, AsksOnceAndAnswersTheJob) {
  gateway_.on_resolve = [this](const v1::ResolveJobRequest& request, v1::Job* job) {
    calls_.push_back(request);
    *job = MakeJob(5, v1::Job::STATE_PROCESSING);
    return grpc::Status::OK;
  };
  const auto job = client_->Resolve(adopt_);
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->sequence(), 5);
  ASSERT_THAT(calls_, SizeIs(1));
  EXPECT_EQ(calls_[0].adopt_upstream_id(), "up-1");
}

TEST_F(ResolveTest, ALostAnswerIsFoundAgainInTheJob) {
  LoseTheFirstAnswer();
  gateway_.on_get = [](const std::string&, v1::Job* job) {
    *job = MakeJob(5, v1::Job::STATE_FAILED);
    job->mutable_error()->set_reason(v1::ERROR_REASON_SUBMISSION_UNRESOLVED);
    return grpc::Status::OK;
  };
  const auto job = client_->Resolve(abandon_);
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  EXPECT_EQ(job->state(), v1::Job::STATE_FAILED);
}

TEST_F(ResolveTest, WhatSomebodyElseDecidedIsNoSuccess) {
  LoseTheFirstAnswer();
  gateway_.on_get = [](const std::string&, v1::Job* job) {
    *job = MakeJob(5, v1::Job::STATE_PROCESSING);
    job->set_upstream_id("up-2");
    return grpc::Status::OK;
  };
  EXPECT_EQ(client_->Resolve(adopt_).error().reason, v1::ERROR_REASON_NOT_HELD);
}

TEST_F(ResolveTest, RefreshAnswersTheJob) {
  gateway_.on_refresh = [](const std::string& id, v1::Job* job) {
    EXPECT_EQ(id, kJob);
    *job = MakeJob(5, v1::Job::STATE_SUCCEEDED);
    return grpc::Status::OK;
  };
  EXPECT_EQ(client_->Refresh(kJob)->sequence(), 5);
  gateway_.on_refresh = [](const std::string&, v1::Job*) {
    return Failure(grpc::StatusCode::FAILED_PRECONDITION, "NOT_ACCEPTED");
  };
  EXPECT_EQ(client_->Refresh(kJob).error().reason, v1::ERROR_REASON_NOT_ACCEPTED);
}

}  // namespace
}  // namespace lumaedit::client
