// Unary calls: what is repeated, with which request_id, and what an error carries.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/request_id.h"
#include "tests/wire/client/cutting_proxy.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::AnyOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

// A port of loopback that is taken, so that no other test gets it, and that nobody listens on.
class DeafPort {
 public:
  DeafPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~DeafPort() { close(socket_); }
  DeafPort(const DeafPort&) = delete;
  DeafPort& operator=(const DeafPort&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const int socket_;
  int port_ = 0;
};

class CallTest : public ::testing::Test {
 protected:
  void SetUp() override { Connect(gateway_.address()); }

  void Connect(const std::string& address) {
    ClientOptions options;
    options.connection.address = address;
    options.connection.connect_timeout = connect_timeout_;
    options.attempt_timeout = attempt_timeout_;
    options.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    auto client = Client::Create(options);
    ASSERT_TRUE(client.ok());
    client_ = std::move(*client);
  }

  void FailNextSubmit(grpc::Status status) {
    gateway_.AddSubmit(
        [status](grpc::ServerContext&, const v1::SubmitEditRequest&, v1::Job*) { return status; });
  }

  std::set<std::string> RequestIds() const {
    std::set<std::string> ids;
    for (const auto& submit : gateway_.submits()) ids.insert(submit.request_id());
    return ids;
  }

  absl::Duration connect_timeout_ = absl::Seconds(5);
  absl::Duration attempt_timeout_ = absl::Seconds(5);
  ScriptedGateway gateway_;
  std::unique_ptr<Client> client_;
};

TEST_F(CallTest, SubmitMakesARequestIdWhenNoneIsGiven) {
  const auto job = client_->Submit({});
  ASSERT_TRUE(job.ok());
  EXPECT_THAT(job->request_id(),
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
}

TEST_F(CallTest, SubmitKeepsTheRequestIdItIsGiven) {
  v1::SubmitEditRequest request;
  request.set_request_id("0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10");
  ASSERT_TRUE(client_->Submit(request).ok());
  EXPECT_EQ(gateway_.submits().at(0).request_id(), request.request_id());
}

TEST_F(CallTest, ALostSubmitIsRepeatedWithTheSameRequestId) {
  FailNextSubmit(grpc::Status(grpc::StatusCode::UNAVAILABLE, "proxy"));
  FailNextSubmit(Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 0.01));
  FailNextSubmit(grpc::Status(grpc::StatusCode::INTERNAL, "a proxy's"));
  FailNextSubmit(grpc::Status(grpc::StatusCode::UNKNOWN, "stream removed"));
  gateway_.AddSubmit([](grpc::ServerContext& context, const v1::SubmitEditRequest&, v1::Job*) {
    context.TryCancel();  // RST_STREAM
    return grpc::Status::CANCELLED;
  });
  int retries = 0;
  CallOptions options;
  options.on_retry = [&](const ClientError&, absl::Duration) { ++retries; };
  const auto job = client_->Submit({}, options);
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  EXPECT_EQ(retries, 5);
  EXPECT_THAT(gateway_.submits(), SizeIs(6));
  EXPECT_THAT(RequestIds(), SizeIs(1));
}

TEST_F(CallTest, AnUnansweredSubmitIsRepeatedOnAFreshConnection) {
  CuttingProxy proxy(gateway_.port());
  attempt_timeout_ = absl::Seconds(1);
  Connect("127.0.0.1:" + std::to_string(proxy.port()));
  std::atomic<int> before = 0;
  gateway_.AddSubmit([&](grpc::ServerContext&, const v1::SubmitEditRequest&, v1::Job*) {
    before = proxy.accepted();
    proxy.Deafen();  // the answer is written, and never arrives
    return grpc::Status::OK;
  });
  const auto job = client_->Submit({});
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  EXPECT_THAT(gateway_.submits(), SizeIs(2));
  EXPECT_THAT(RequestIds(), SizeIs(1));
  EXPECT_EQ(proxy.accepted(), before + 1);
}

TEST_F(CallTest, ManySubmitsOverABadLineMakeOneRequestIdEach) {
  CuttingProxy proxy(gateway_.port());
  proxy.CutAfterBytes(100, 900);
  Connect("127.0.0.1:" + std::to_string(proxy.port()));
  constexpr int kSubmits = 100;
  for (int n = 0; n < kSubmits; ++n) {
    const auto job = client_->Submit({});
    ASSERT_TRUE(job.ok()) << job.error().ToString();
  }
  EXPECT_THAT(RequestIds(), SizeIs(kSubmits));
  EXPECT_THAT(proxy.accepted(), Ge(5));
}

TEST_F(CallTest, WhatTheGatewayRefusesIsNotRepeated) {
  for (const auto& [code, reason] :
       {std::pair(grpc::StatusCode::INVALID_ARGUMENT, "INVALID_FIELDS"),
        std::pair(grpc::StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"),
        std::pair(grpc::StatusCode::FAILED_PRECONDITION, "PRICE_ABOVE_LIMIT"),
        std::pair(grpc::StatusCode::RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED"),
        std::pair(grpc::StatusCode::INTERNAL, "INTERNAL")}) {
    const std::size_t before = gateway_.submits().size();
    FailNextSubmit(Failure(code, reason));
    const auto job = client_->Submit({});
    ASSERT_FALSE(job.ok());
    EXPECT_EQ(job.error().reason_name, reason);
    EXPECT_TRUE(job.error().from_gateway);
    EXPECT_THAT(gateway_.submits(), SizeIs(before + 1)) << reason;
  }
}

TEST_F(CallTest, OverloadIsRepeatedAfterTheWait) {
  FailNextSubmit(Failure(grpc::StatusCode::RESOURCE_EXHAUSTED, "OVERLOADED", 0.05));
  EXPECT_TRUE(client_->Submit({}).ok());
}

TEST_F(CallTest, AnErrorCarriesViolationsMetadataAndWait) {
  ClientError details;
  details.message = "2 fields are wrong";
  details.reason_name = "INVALID_FIELDS";
  details.metadata["violation_count"] = "2";
  details.violations = {{"edit.prompt", "is empty"}, {"edit.source", "is not set"}};
  details.retry_after = absl::Milliseconds(1500);
  FailNextSubmit(Failure(grpc::StatusCode::INVALID_ARGUMENT, details));
  const auto job = client_->Submit({});
  ASSERT_FALSE(job.ok());
  const ClientError& error = job.error();
  EXPECT_EQ(error.code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(error.reason, v1::ERROR_REASON_INVALID_FIELDS);
  EXPECT_EQ(error.message, "2 fields are wrong");
  EXPECT_EQ(error.metadata.at("violation_count"), "2");
  ASSERT_THAT(error.violations, SizeIs(2));
  EXPECT_EQ(error.violations[1].field, "edit.source");
  EXPECT_EQ(error.violations[1].description, "is not set");
  EXPECT_EQ(error.retry_after, absl::Milliseconds(1500));
}

TEST_F(CallTest, GivesUpWhenItsTimeIsOver) {
  for (int n = 0; n < 1000; ++n) FailNextSubmit(grpc::Status(grpc::StatusCode::UNAVAILABLE, "no"));
  CallOptions options;
  options.timeout = absl::Milliseconds(200);
  const auto job = client_->Submit({}, options);
  ASSERT_FALSE(job.ok());
  // The last try may have begun too late to be answered.
  EXPECT_THAT(job.error().code,
              AnyOf(absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(RequestIds(), SizeIs(1));
}

TEST_F(CallTest, AnAddressThatNobodyListensOnIsToldAfterTheConnectTimeout) {
  const DeafPort deaf;
  connect_timeout_ = absl::Milliseconds(300);
  Connect(deaf.address());
  const auto job = client_->Get("x");
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.error().code, absl::StatusCode::kUnavailable);
  EXPECT_THAT(job.error().message, HasSubstr("failed to connect"));
  EXPECT_FALSE(job.error().from_gateway);
}

TEST_F(CallTest, ACancelEndsTheCallAndItsWaits) {
  std::stop_source stop;
  CallOptions options;
  options.stop = stop.get_token();
  options.on_retry = [&](const ClientError&, absl::Duration) { stop.request_stop(); };
  FailNextSubmit(Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 20));
  const auto job = client_->Submit({}, options);
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.error().code, absl::StatusCode::kCancelled);
}

TEST_F(CallTest, GetListAndCancelReachTheirMethods) {
  gateway_.on_get = [](const std::string& id, v1::Job* job) {
    job->set_id(id);
    return grpc::Status::OK;
  };
  gateway_.on_list = [](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    response->set_next_page_token(request.page_token() + "+");
    return grpc::Status::OK;
  };
  gateway_.on_cancel = [](const std::string& id, v1::CancelJobResponse* response) {
    response->set_result(v1::CancelJobResponse::RESULT_PREVENTED);
    response->mutable_job()->set_id(id);
    return grpc::Status::OK;
  };
  EXPECT_EQ(client_->Get("a")->id(), "a");
  v1::ListJobsRequest request;
  request.set_page_token("t");
  EXPECT_EQ(client_->List(request)->next_page_token(), "t+");
  EXPECT_EQ(client_->Cancel("b")->job().id(), "b");
}

}  // namespace
}  // namespace lumaedit::client
