// luma-edit resolve, refresh, list of held jobs, and watch --all against a scripted gateway.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
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
using ::testing::StartsWith;

constexpr char kJob[] = "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10";

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// HELD for so long, with so many candidates.
v1::Job Held(const std::string& id, absl::Duration for_time, int candidates) {
  v1::Job job = MakeJob(3, v1::Job::STATE_HELD);
  job.set_id(id);
  job.mutable_create_time()->set_seconds(absl::ToUnixSeconds(absl::Now() - for_time) - 86400);
  job.mutable_charge()->set_state(v1::Charge::STATE_UNCERTAIN);
  job.mutable_charge()->mutable_amount()->set_min_usd_micros(1'080'000);
  job.mutable_charge()->mutable_amount()->set_max_usd_micros(6'480'000);
  for (int n = 0; n < candidates; ++n) job.add_candidate_upstream_ids("up-" + std::to_string(n));
  return job;
}

class HoldCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    gateway_.on_resolve = [this](const v1::ResolveJobRequest& request, v1::Job* job) {
      const std::lock_guard lock(mutex_);
      resolved_.push_back(request);
      if (request.job_id() == "found") {
        return Failure(grpc::StatusCode::FAILED_PRECONDITION, "RECORD_FOUND");
      }
      *job = MakeJob(request.expected_sequence() + 1,
                     request.abandon() ? v1::Job::STATE_FAILED : v1::Job::STATE_PROCESSING);
      job->set_id(request.job_id());
      return grpc::Status::OK;
    };
    gateway_.on_list = [this](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
      const std::lock_guard lock(mutex_);
      lists_.push_back(request);
      for (const v1::Job& job : held_) *response->add_jobs() = job;
      response->set_watch_token("t0");
      return grpc::Status::OK;
    };
  }

  // In the list; its history tells since when.
  void AddHeld(const std::string& id, absl::Duration for_time, int candidates) {
    held_.push_back(Held(id, for_time, candidates));
    v1::Transition held = MakeTransition(3, v1::Job::STATE_HELD);
    held.mutable_record_time()->set_seconds(absl::ToUnixSeconds(absl::Now() - for_time));
    gateway_.AddWatch({Send(held), Silence()});
  }

  ChildResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), LUMA_EDIT_PROGRAM);
    return RunChild(arguments, {{"LUMA_EDIT_ADDRESS", gateway_.address()}}, "");
  }

  std::mutex mutex_;
  std::vector<v1::ResolveJobRequest> resolved_;
  std::vector<v1::ListJobsRequest> lists_;
  std::vector<v1::Job> held_;
  ScriptedGateway gateway_;  // last: its handlers are over before what they use goes
};

TEST_F(HoldCommands, AdoptTakesTheJobAsItIsUnlessASequenceIsGiven) {
  gateway_.on_get = [](const std::string& id, v1::Job* job) {
    *job = Held(id, absl::Hours(1), 2);
    return grpc::Status::OK;
  };
  const ChildResult result =
      Run({"resolve", kJob, "--adopt", "up-1", "--note", "seen in the console"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("PROCESSING"));
  ASSERT_THAT(resolved_, SizeIs(1));
  EXPECT_EQ(resolved_[0].job_id(), kJob);
  EXPECT_EQ(resolved_[0].expected_sequence(), 3);
  EXPECT_EQ(resolved_[0].adopt_upstream_id(), "up-1");
  EXPECT_EQ(resolved_[0].note(), "seen in the console");

  EXPECT_EQ(Run({"resolve", kJob, "--abandon", "--sequence", "7"}).exit_code, 0);
  EXPECT_EQ(resolved_[1].expected_sequence(), 7);
  EXPECT_TRUE(resolved_[1].abandon());
}

TEST_F(HoldCommands, ARefusedDecisionSaysWhy) {
  const ChildResult result = Run({"resolve", "found", "--abandon", "--sequence", "3"});
  EXPECT_EQ(result.exit_code, 8);
  EXPECT_THAT(result.err, HasSubstr("RECORD_FOUND"));
}

TEST_F(HoldCommands, ADecisionMustBeExactlyOne) {
  EXPECT_EQ(Run({"resolve", kJob}).exit_code, 2);
  EXPECT_EQ(Run({"resolve", "--abandon"}).exit_code, 2);
  EXPECT_EQ(Run({"resolve", kJob, "--abandon", "--adopt", "up-1"}).exit_code, 2);
  EXPECT_EQ(Run({"resolve", kJob, "--abandon", "--held-for", "24h"}).exit_code, 2);
  EXPECT_EQ(Run({"resolve", "--adopt", "up-1", "--held-for", "24h"}).exit_code, 2);
  EXPECT_EQ(Run({"resolve", kJob, "--abandon", "--yes"}).exit_code, 2);
  EXPECT_EQ(Run({"resolve", kJob, "--abandon", "--label", "team=film"}).exit_code, 2);
  EXPECT_THAT(resolved_, IsEmpty());
}

TEST_F(HoldCommands, ManyAreAbandonedOnlyByAYes) {
  AddHeld("young", absl::Hours(2), 0);
  AddHeld("found", absl::Hours(30), 1);
  AddHeld("old", absl::Hours(48), 0);
  const ChildResult result =
      Run({"resolve", "--abandon", "--held-for", "24h", "--label", "team=film", "--yes"});
  EXPECT_EQ(result.exit_code, 8) << "one was refused";
  EXPECT_THAT(result.err, AllOf(HasSubstr("job found:"), HasSubstr("RECORD_FOUND")));
  EXPECT_THAT(result.out, AllOf(HasSubstr("old"), HasSubstr("FAILED"), Not(HasSubstr("young"))));
  ASSERT_THAT(resolved_, SizeIs(2));
  EXPECT_EQ(resolved_[1].job_id(), "old");
  EXPECT_EQ(resolved_[1].expected_sequence(), 3);
  ASSERT_THAT(lists_, SizeIs(1));
  EXPECT_THAT(lists_[0].states(), ElementsAre(v1::Job::STATE_HELD));
  EXPECT_EQ(lists_[0].labels().at("team"), "film");
}

TEST_F(HoldCommands, WithoutATerminalNobodyIsAskedAndNothingIsAbandoned) {
  AddHeld("old", absl::Hours(48), 2);
  const ChildResult result = Run({"resolve", "--abandon", "--held-for", "24h"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("held for 48h"), HasSubstr("2 candidates"),
                                HasSubstr("1 job, $1.08 – $6.48"), HasSubstr("--yes")));
  EXPECT_THAT(resolved_, IsEmpty());
}

TEST_F(HoldCommands, OnATerminalTheUserIsAsked) {
  setenv("LUMA_EDIT_ADDRESS", gateway_.address().c_str(), 1);
  for (const bool yes : {false, true}) {
    held_.clear();
    AddHeld("old", absl::Hours(48), 0);
    TerminalChild child({LUMA_EDIT_PROGRAM, "resolve", "--abandon", "--held-for", "24h"}, 120);
    ASSERT_TRUE(child.AwaitOutput("[y/N]")) << child.output();
    child.Type(yes ? "y\n" : "\n");
    EXPECT_EQ(child.Wait(), 0) << child.output();
    EXPECT_THAT(resolved_, SizeIs(yes ? 1 : 0));
  }
  unsetenv("LUMA_EDIT_ADDRESS");
}

TEST_F(HoldCommands, TheListShowsCandidatesAndMoney) {
  held_ = {Held(kJob, absl::Hours(1), 2), Held("b", absl::Hours(1), 0)};
  const ChildResult result = Run({"list", "--state", "held"});
  EXPECT_EQ(result.exit_code, 0);
  const auto lines = Lines(result.out);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0], AllOf(StartsWith(kJob), HasSubstr("$1.08 – $6.48 uncertain"),
                              HasSubstr("2 candidates")));
  EXPECT_THAT(lines[1], HasSubstr("no candidate"));
}

TEST_F(HoldCommands, RefreshShowsTheJob) {
  gateway_.on_refresh = [](const std::string& id, v1::Job* job) {
    *job = MakeJob(5, v1::Job::STATE_SUCCEEDED);
    job->set_id(id);
    job->mutable_outcome()->set_video_url("https://storage.example.test/new.mp4");
    return grpc::Status::OK;
  };
  const ChildResult result = Run({"refresh", kJob});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr(kJob), HasSubstr("new.mp4")));
}

TEST_F(HoldCommands, WatchAllPrintsALineATransitionWithItsJob) {
  std::atomic<int> streams = 0;
  std::vector<v1::WatchJobsRequest> requests;
  gateway_.on_watch_jobs = [&](grpc::ServerContext&, const v1::WatchJobsRequest& request,
                               ScriptedGateway::JobsWriter& writer) {
    requests.push_back(request);
    // A permanent error ends the program, as nothing else does.
    if (++streams > 1) return Failure(grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED");
    v1::WatchJobsResponse message;
    for (int n = 1; n <= 2; ++n) {
      *message.mutable_transition() = MakeTransition(n, v1::Job::STATE_PENDING);
      message.set_job_id(kJob);
      message.set_resume_token("t" + std::to_string(n));
      writer.Write(message);
    }
    return Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 0.01);
  };
  ChildResult result = Run({"watch", "--all", "--label", "team=film"});
  EXPECT_EQ(result.exit_code, 10);
  ASSERT_THAT(Lines(result.out), SizeIs(2));
  EXPECT_THAT(Lines(result.out)[1],
              AllOf(StartsWith(std::string(kJob) + "  2026-09-21T"), HasSubstr("  2  PENDING")));
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("DRAINING"), HasSubstr("--all --label team=film --resume-token t2")));
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].resume_token(), "t0");
  EXPECT_EQ(requests[1].resume_token(), "t2");
  EXPECT_EQ(requests[1].labels().at("team"), "film");

  streams = 0;
  result = Run({"watch", "--all", "--json", "--resume-token", "t9"});
  ASSERT_THAT(Lines(result.out), SizeIs(2));
  EXPECT_THAT(Lines(result.out)[0], StartsWith(std::string("{\"jobId\":\"") + kJob +
                                               "\",\"transition\":{\"sequence\":1,"));
  EXPECT_EQ(requests[2].resume_token(), "t9");
}

TEST_F(HoldCommands, WatchTakesAJobOrAll) {
  EXPECT_EQ(Run({"watch"}).exit_code, 2);
  EXPECT_EQ(Run({"watch", kJob, "--all"}).exit_code, 2);
  EXPECT_EQ(Run({"watch", "--all", "--after", "3"}).exit_code, 2);
  EXPECT_EQ(Run({"watch", kJob, "--label", "team=film"}).exit_code, 2);
  EXPECT_EQ(Run({"watch", "--all", "--from-start", "--resume-token", "t"}).exit_code, 2);
}

}  // namespace
}  // namespace lumaedit::client
