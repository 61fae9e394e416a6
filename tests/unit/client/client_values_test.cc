// The client library's values: errors, waits, ids, addresses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stop_token>
#include <string>

#include "client/backoff.h"
#include "client/client_error.h"
#include "client/connection.h"
#include "client/deadline.h"
#include "client/job_state.h"
#include "client/request_id.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace lumaedit::client {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

grpc::Status WithInfo(const std::string& domain, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_domain(domain);
  info.set_reason(reason);
  google::rpc::Status trailer;
  trailer.add_details()->PackFrom(info);
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "m", trailer.SerializeAsString());
}

TEST(ClientErrorTest, ReadsTheReason) {
  const ClientError error = ErrorFromStatus(WithInfo("lumaedit.v1", "DRAINING"));
  EXPECT_EQ(error.code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(error.reason, v1::ERROR_REASON_DRAINING);
  EXPECT_TRUE(error.from_gateway);
  EXPECT_EQ(error.ToString(), "UNAVAILABLE DRAINING: m");
}

TEST(ClientErrorTest, KeepsTheNameOfAReasonItDoesNotKnow) {
  const ClientError error = ErrorFromStatus(WithInfo("lumaedit.v1", "OF_TOMORROW"));
  EXPECT_EQ(error.reason, v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(error.reason_name, "OF_TOMORROW");
  EXPECT_TRUE(error.from_gateway);
}

TEST(ClientErrorTest, DoesNotTakeAProxyForTheGateway) {
  EXPECT_FALSE(ErrorFromStatus(WithInfo("proxy.test", "DRAINING")).from_gateway);
  EXPECT_FALSE(ErrorFromStatus(grpc::Status(grpc::StatusCode::INTERNAL, "m")).from_gateway);
}

TEST(ClientErrorTest, StandsWithoutAReadableTrailer) {
  const ClientError error =
      ErrorFromStatus(grpc::Status(grpc::StatusCode::NOT_FOUND, "m", "\xff\xff not a message"));
  EXPECT_EQ(error.code, absl::StatusCode::kNotFound);
  EXPECT_EQ(error.message, "m");
}

TEST(BackoffTest, DoublesUpToItsCapWithSpread) {
  Backoff backoff({absl::Milliseconds(100), absl::Milliseconds(400)});
  for (const int full : {100, 200, 400, 400, 400}) {
    EXPECT_THAT(backoff.Next(std::nullopt),
                AllOf(Ge(absl::Milliseconds(full / 2)), Le(absl::Milliseconds(full))));
  }
  backoff.Reset();
  EXPECT_THAT(backoff.Next(std::nullopt), Le(absl::Milliseconds(100)));
}

TEST(BackoffTest, IsNotShorterThanTheGatewayAsksAndNotEndless) {
  Backoff backoff({absl::Milliseconds(1), absl::Milliseconds(1)});
  EXPECT_THAT(backoff.Next(absl::Seconds(3)),
              AllOf(Ge(absl::Seconds(3)), Le(absl::Milliseconds(3300))));
  EXPECT_THAT(backoff.Next(absl::Hours(24 * 365)), Le(kLongestRetryAfter * 1.1));
}

TEST(RequestIdTest, AreUuidsAndDiffer) {
  std::set<std::string> ids;
  for (int n = 0; n < 1000; ++n) {
    const std::string id = NewRequestId();
    ASSERT_EQ(id.size(), 36u);
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

TEST(LoopbackTest, IsThisMachineOnly) {
  for (const char* address :
       {"127.0.0.1:8443", "127.9.9.9:1", "localhost:8443", "[::1]:8443", "dns:///localhost:1",
        "ipv4:127.0.0.1:1", "ipv6:[::1]:1", "unix:/run/gateway.sock"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"10.0.0.1:8443", "127.0.0.1.evil.test:8443", "localhost.evil.test:1",
                              "gateway:8443", "[::2]:8443", "dns:///gateway:1", "127.1:1", ""}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(DeadlineTest, PassesAndNeverPasses) {
  EXPECT_TRUE(Deadline::After(absl::ZeroDuration()).Passed());
  EXPECT_TRUE(Deadline::After(absl::Seconds(-5)).Passed());
  EXPECT_FALSE(Deadline::After(absl::Hours(1)).Passed());
  EXPECT_EQ(Deadline::After(absl::InfiniteDuration()).Left(), absl::InfiniteDuration());
}

TEST(DeadlineTest, AWaitEndsWithItsStopRequest) {
  std::stop_source stop;
  EXPECT_TRUE(WaitFor(absl::Milliseconds(1), stop.get_token()));
  stop.request_stop();
  EXPECT_FALSE(WaitFor(absl::InfiniteDuration(), stop.get_token()));
}

TEST(JobStateTest, NamesAndEnds) {
  EXPECT_EQ(StateName(v1::Job::STATE_PROCESSING), "PROCESSING");
  EXPECT_EQ(StateName(static_cast<v1::Job::State>(99)), "UNKNOWN");
  EXPECT_TRUE(IsFinal(v1::Job::STATE_EXPIRED));
  EXPECT_FALSE(IsFinal(v1::Job::STATE_HELD));
}

}  // namespace
}  // namespace lumaedit::client
