// The admin port over real sockets on loopback, and what it answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/app/admin_command.h"
#include "server/app/admin_server.h"
#include "server/app/prometheus_metrics.h"
#include "server/job/upstream.h"
#include "tests/fakes/recording_log.h"

namespace lumaedit {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class AdminServerTest : public testing::Test {
 protected:
  Address Serve(AdminServer::Handler handler) {
    auto started = AdminServer::Start({"127.0.0.1", 0}, std::move(handler), log_);
    EXPECT_TRUE(started.ok()) << started.status();
    if (!started.ok()) return {};
    server_ = *std::move(started);
    EXPECT_GT(server_->port(), 0);
    return {"127.0.0.1", server_->port()};
  }

  RecordingLog log_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, BringsWhatWasSentAndWhatIsAnswered) {
  const Address address = Serve([](const AdminRequest& request) {
    return AdminAnswer{request.path == "/missing" ? 404 : 200, "text/plain",
                       absl::StrCat(request.method, " ", request.path, " ", request.body.size())};
  });
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{60'000}}) {
    const auto answer = CallAdmin(address, {"POST", "/adopt", std::string(size, 'x')});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, absl::StrCat("POST /adopt ", size));
  }
  const auto missing = CallAdmin(address, {"GET", "/missing", ""});
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_EQ(missing->status, 404);
}

TEST_F(AdminServerTest, ABodyThatIsTooLongIsRefused) {
  bool called = false;
  const Address address = Serve([&](const AdminRequest&) {
    called = true;
    return AdminAnswer{};
  });
  const auto answer = CallAdmin(address, {"POST", "/adopt", std::string(70'000, 'x')});
  // Or the connection was closed in its face.
  EXPECT_TRUE(!answer.ok() || answer->status == 413);
  EXPECT_FALSE(called);
}

TEST_F(AdminServerTest, AnExceptionIsAnAnswer) {
  const Address address =
      Serve([](const AdminRequest&) -> AdminAnswer { throw std::runtime_error("secret"); });
  const auto answer = CallAdmin(address, {"GET", "/status", ""});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 500);
  EXPECT_THAT(answer->body, Not(HasSubstr("secret")));
}

TEST_F(AdminServerTest, AnAddressThatIsTakenIsAnError) {
  const Address address = Serve([](const AdminRequest&) { return AdminAnswer{}; });
  const auto second = AdminServer::Start(
      address, [](const AdminRequest&) { return AdminAnswer{}; }, log_);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address.ToString()));
  server_.reset();
  EXPECT_TRUE(absl::IsUnavailable(CallAdmin(address, {"GET", "/status", ""}).status()));
}

TEST_F(AdminServerTest, TheSubcommandsSpeakToIt) {
  std::vector<std::string> calls;
  const Address address = Serve([&](const AdminRequest& request) {
    calls.push_back(absl::StrCat(request.method, " ", request.path));
    if (request.path == "/resume") return AdminAnswer{503, "", R"({"error": "the disk is full"})"};
    return AdminAnswer{200, "", R"({"paused": true})"};
  });
  const std::string where = absl::StrCat("--admin-listen=", address.ToString());
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(RunAdminCommand({"pause", where}, out, err), 0);
  EXPECT_EQ(out.str(), "dispatch: paused by an operator\n");
  EXPECT_EQ(RunAdminCommand({"resume", where}, out, err), 1);
  EXPECT_THAT(err.str(), HasSubstr("the disk is full"));
  EXPECT_EQ(RunAdminCommand({"status", where, "--json"}, out, err), 0);
  EXPECT_THAT(calls, testing::ElementsAre("POST /pause", "POST /resume", "GET /status"));

  EXPECT_EQ(RunAdminCommand({"pause", "--admin-listen=nowhere"}, out, err), 2);
  EXPECT_EQ(RunAdminCommand({"pause", "--surprise"}, out, err), 2);
  EXPECT_EQ(RunAdminCommand({"--listen=127.0.0.1:0"}, out, err), std::nullopt);
  EXPECT_EQ(RunAdminCommand({}, out, err), std::nullopt);
}

// Resume ends the pause; why nothing is sent yet is said.
TEST_F(AdminServerTest, ResumeOfARestoredStoreSaysWhatItWaitsFor) {
  std::string body;
  const Address address = Serve([&](const AdminRequest&) {
    return AdminAnswer{200, "application/json", body};
  });
  const std::string where = absl::StrCat("--admin-listen=", address.ToString());
  const auto printed = [&](const std::string& wait) {
    body = absl::StrCat(R"({"paused": false, "restored": true, "restore_waits_for": ")", wait,
                        R"(", "restore_count": 3})");
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(RunAdminCommand({"resume", where}, out, err), 0);
    return out.str();
  };
  EXPECT_THAT(printed("list"), AllOf(HasSubstr("nothing is sent"), HasSubstr("being read")));
  EXPECT_THAT(printed("previous_key"),
              AllOf(HasSubstr("3 PENDING"), HasSubstr("--gmi-previous-api-key-file")));
  EXPECT_THAT(printed("account"), AllOf(HasSubstr("3 accounts"), HasSubstr("resume")));
  EXPECT_THAT(printed("jobs_in_doubt"), HasSubstr("3 jobs"));
  EXPECT_THAT(printed("short_list"),
              AllOf(HasSubstr("3 jobs"), HasSubstr("cancelled"), HasSubstr("resume")));
  EXPECT_THAT(printed("person"), AllOf(HasSubstr("3 records"), HasSubstr("resume")));
}

TEST(PrometheusMetrics, CountsUnderTheRightLabels) {
  PrometheusMetrics metrics("1.2.3");
  metrics.Transitioned(JobState::kHeld);
  metrics.Transitioned(JobState::kHeld);
  metrics.PostEnded(true, FactKind::kRefusedInWords, absl::Seconds(3));
  metrics.PostEnded(false, FactKind::kUnclear, absl::Seconds(1));
  metrics.ReadEnded(UpstreamRead::kList, ReadFailure::kBusy, absl::Milliseconds(70));
  metrics.PollLag(absl::Seconds(7));
  metrics.UnknownUpstreamRecords(4);
  metrics.DetectionDelay(absl::Seconds(-3), absl::Seconds(4));
  metrics.StoreCommitted(absl::Milliseconds(2), 5);
  Snapshot snapshot;
  snapshot.engine = EngineStatus{};
  snapshot.engine->dispatch.refused = true;
  snapshot.engine->dispatch.held_back = absl::Seconds(30);
  snapshot.store = StoreOverview{};
  snapshot.store->live[JobState::kHeld] = 2;
  snapshot.store->held_usd_micros = 1'440'000;
  snapshot.today = {.reserved_usd_micros = 1, .incurred_usd_micros = 2, .uncertain_usd_micros = 3};
  snapshot.queues = {{"store", 9}};
  snapshot.streams_ended = {{"rotated", 6}};
  snapshot.refusals = {{"BUDGET_EXCEEDED", 7}};
  const std::string text = metrics.Text(snapshot);
  for (const char* line :
       {"lumaedit_build_info{version=\"1.2.3\"} 1\n",
        "lumaedit_transitions_total{state=\"held\"} 2\n",
        "lumaedit_transitions_total{state=\"expired\"} 0\n",
        "lumaedit_posts_total{answer=\"refused_in_words\"} 1\n",
        "lumaedit_posts_total{answer=\"not_sent\"} 1\n",
        "lumaedit_posts_total{answer=\"unclear\"} 0\n",
        "lumaedit_upstream_request_seconds_count{answer=\"busy\",method=\"list\"} 1\n",
        "lumaedit_poll_lag_seconds_bucket{le=\"5\"} 0\n",
        "lumaedit_poll_lag_seconds_bucket{le=\"10\"} 1\n",
        "lumaedit_unknown_upstream_records 4\n",
        "lumaedit_detection_delay_seconds_sum{bound=\"lower\"} 0\n",
        "lumaedit_detection_delay_seconds_sum{bound=\"upper\"} 4\n",
        "lumaedit_store_operations_total 5\n",
        "lumaedit_jobs{state=\"held\"} 2\n",
        "lumaedit_jobs{state=\"pending\"} 0\n",
        "lumaedit_held_usd_micros 1440000\n",
        "lumaedit_today_usd_micros{charge=\"reserved\"} 1\n",
        "lumaedit_today_usd_micros{charge=\"incurred\"} 2\n",
        "lumaedit_today_usd_micros{charge=\"uncertain\"} 3\n",
        "lumaedit_daily_limit_usd_micros +Inf\n",
        "lumaedit_dispatch_paused{by=\"refusal\"} 1\n",
        "lumaedit_dispatch_paused{by=\"doubt\"} 0\n",
        "lumaedit_dispatch_held_back_seconds 30\n",
        "lumaedit_queue_depth{queue=\"store\"} 9\n",
        "lumaedit_streams_ended_total{reason=\"rotated\"} 6\n",
        "lumaedit_refusals_total{reason=\"budget_exceeded\"} 7\n",
        "lumaedit_answers{part=\"store\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }

  // What counts up by itself goes on from where it was; what does not answer keeps its values.
  snapshot.streams_ended = {{"rotated", 8}};
  snapshot.store.reset();
  EXPECT_THAT(metrics.Text(snapshot),
              AllOf(HasSubstr("lumaedit_streams_ended_total{reason=\"rotated\"} 8\n"),
                    HasSubstr("lumaedit_answers{part=\"store\"} 0\n"),
                    HasSubstr("lumaedit_jobs{state=\"held\"} 2\n")));
}

// Every series is there from the start: one that appears with the first event is read as no change.
TEST(PrometheusMetrics, NoSeriesAppearsLater) {
  PrometheusMetrics metrics("1");
  Snapshot snapshot;
  snapshot.engine = EngineStatus{};
  snapshot.store = StoreOverview{};
  const auto names = [&] {
    std::vector<std::string> all;
    for (const std::string& line :
         std::vector<std::string>(absl::StrSplit(metrics.Text(snapshot), '\n'))) {
      all.push_back(line.substr(0, line.rfind(' ')));
    }
    return all;
  };
  const auto before = names();
  for (int state = 1; state <= 10; ++state) metrics.Transitioned(static_cast<JobState>(state));
  for (int kind = 1; kind <= 6; ++kind) {
    metrics.PostEnded(true, static_cast<FactKind>(kind), absl::Seconds(1));
    metrics.PostEnded(false, static_cast<FactKind>(kind), absl::Seconds(1));
  }
  for (int failure = 0; failure <= static_cast<int>(ReadFailure::kOther); ++failure) {
    metrics.ReadEnded(UpstreamRead::kGet, static_cast<ReadFailure>(failure), absl::Seconds(1));
    metrics.ReadEnded(UpstreamRead::kList, static_cast<ReadFailure>(failure), absl::Seconds(1));
  }
  EXPECT_EQ(names(), before);
}

}  // namespace
}  // namespace lumaedit
