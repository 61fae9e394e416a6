// The real luma-edit against a scripted gateway: output, exit codes, JSON.

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "tests/fakes/temp_folder.h"
#include "tests/wire/client/child.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kJob[] = "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10";
constexpr char kVideo[] = "https://storage.example.test/out/0b6f/output.mp4";

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

v1::Transition Succeeded(std::int32_t sequence) {
  v1::Transition transition = MakeTransition(sequence, v1::Job::STATE_SUCCEEDED);
  transition.mutable_charge()->set_state(v1::Charge::STATE_INCURRED);
  transition.mutable_charge()->mutable_amount()->set_min_usd_micros(1080000);
  transition.mutable_charge()->mutable_amount()->set_max_usd_micros(1080000);
  transition.mutable_outcome()->set_video_url(kVideo);
  transition.mutable_outcome()->set_generation_id("c2d0e6a4-90b1-4c77-bb1e-6a7c1f3e5d21");
  return transition;
}

v1::Transition Failed(std::int32_t sequence, const std::string& upstream_message) {
  v1::Transition transition = MakeTransition(sequence, v1::Job::STATE_FAILED);
  transition.mutable_error()->set_reason(v1::ERROR_REASON_CONTENT_MODERATED);
  transition.mutable_error()->set_message("the upstream's moderation refused it");
  transition.mutable_error()->set_upstream_message(upstream_message);
  return transition;
}

class ProgramTest : public ::testing::Test {
 protected:
  ChildResult Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), LUMA_EDIT_PROGRAM);
    return RunChild(arguments, {{"LUMA_EDIT_ADDRESS", gateway_.address()}}, input);
  }

  ChildResult Submit(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"submit", "--prompt", "Night rain", "--generation-id", "g"});
    return Run(more);
  }

  void FailSubmit(grpc::Status status) {
    gateway_.AddSubmit(
        [status](grpc::ServerContext&, const v1::SubmitEditRequest&, v1::Job*) { return status; });
  }

  ScriptedGateway gateway_;
};

TEST_F(ProgramTest, SubmitPrintsTheJob) {
  gateway_.AddSubmit([](grpc::ServerContext&, const v1::SubmitEditRequest&, v1::Job* job) {
    *job = MakeJob(1, v1::Job::STATE_PENDING);
    job->mutable_quote()->set_min_usd_micros(1080000);
    job->mutable_quote()->set_max_usd_micros(6480000);
    job->set_jobs_ahead(2);
    return grpc::Status::OK;
  });
  const ChildResult result = Submit();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr(kJob), HasSubstr("PENDING, 2 jobs ahead"),
                                HasSubstr("$1.08 – $6.48")));
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_EQ(gateway_.submits().at(0).edit().prompt(), "Night rain");
}

TEST_F(ProgramTest, SubmitReadsThePromptFromStandardInput) {
  const ChildResult result =
      Run({"submit", "--prompt-file", "-", "--generation-id", "g"}, "Night rain\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(gateway_.submits().at(0).edit().prompt(), "Night rain");
}

TEST_F(ProgramTest, SubmitAndWatchToTheEndThroughAPipe) {
  gateway_.AddWatch({Send(1, v1::Job::STATE_PENDING), CaughtUp(MakeJob(1, v1::Job::STATE_PENDING)),
                     Send(2, v1::Job::STATE_PROCESSING), Send(Succeeded(3)), End()});
  const ChildResult result = Submit({"--watch"});
  EXPECT_EQ(result.exit_code, 0);
  const auto lines = Lines(result.out);
  ASSERT_THAT(lines, SizeIs(testing::Ge(3)));
  EXPECT_THAT(lines.back(),
              AllOf(StartsWith("2026-09-21T"), HasSubstr("  3  SUCCEEDED    $1.08 incurred"),
                    HasSubstr(std::string("video=") + kVideo),
                    HasSubstr("generation=c2d0e6a4-90b1-4c77-bb1e-6a7c1f3e5d21")));
  EXPECT_THAT(lines[lines.size() - 2], HasSubstr("  2  PROCESSING"));
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
}

TEST_F(ProgramTest, SubmitAndWatchReturnsAtHeldAndSaysWhatToDo) {
  gateway_.AddWatch({Send(1, v1::Job::STATE_PENDING), CaughtUp(MakeJob(1, v1::Job::STATE_PENDING)),
                     Send(2, v1::Job::STATE_HELD), Silence()});
  const ChildResult result = Submit({"--watch"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("HELD"), HasSubstr("will not be sent again"),
                                HasSubstr(std::string("watch ") + kJob + " --after 2")));
}

TEST_F(ProgramTest, AHoldThatIsOverDoesNotEndTheWatch) {
  gateway_.AddWatch({Send(1, v1::Job::STATE_PENDING), Send(2, v1::Job::STATE_HELD),
                     Send(3, v1::Job::STATE_PROCESSING),
                     CaughtUp(MakeJob(3, v1::Job::STATE_PROCESSING)), Send(Succeeded(4)), End()});
  EXPECT_EQ(Submit({"--watch"}).exit_code, 0);
}

TEST_F(ProgramTest, AJobThatIsHeldAlreadyEndsTheWatchWithItsReplay) {
  gateway_.AddWatch({Send(1, v1::Job::STATE_PENDING), Send(2, v1::Job::STATE_HELD),
                     CaughtUp(MakeJob(2, v1::Job::STATE_HELD)), Silence()});
  EXPECT_EQ(Submit({"--watch"}).exit_code, 3);
}

TEST_F(ProgramTest, TheStateOfAWatchedJobIsTheExitCode) {
  const std::pair<v1::Job::State, int> kCodes[] = {{v1::Job::STATE_SUCCEEDED, 0},
                                                   {v1::Job::STATE_FAILED, 1},
                                                   {v1::Job::STATE_CANCELLED, 4},
                                                   {v1::Job::STATE_EXPIRED, 5}};
  for (const auto& [state, code] : kCodes) {
    gateway_.AddWatch({Send(1, state), End()});
    EXPECT_EQ(Run({"watch", kJob}).exit_code, code) << v1::Job::State_Name(state);
  }
}

TEST_F(ProgramTest, TheUpstreamsTextCannotDriveTheTerminal) {
  gateway_.AddWatch({Send(Failed(1,
                                 "no\x1b]0;owned\x07 \xc2\x9b"
                                 "2Jway\r\n2  SUCCEEDED")),
                     End()});
  const ChildResult result = Run({"watch", kJob});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(Lines(result.out), SizeIs(1));
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("CONTENT_MODERATED"), Not(HasSubstr("\x1b")), Not(HasSubstr("\x07")),
                    Not(HasSubstr("\xc2\x9b")), Not(HasSubstr("\r"))));
}

TEST_F(ProgramTest, WatchResumesAndSaysSoOnStderr) {
  gateway_.AddWatch({Send(3, v1::Job::STATE_PROCESSING),
                     End(Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 0.05))});
  gateway_.AddWatch({Send(Succeeded(4)), End()});
  const ChildResult result = Run({"watch", kJob, "--after", "2", "--heartbeat", "5s"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(Lines(result.out), SizeIs(2));
  EXPECT_THAT(result.err, AllOf(HasSubstr("DRAINING"), HasSubstr("resuming in")));
  EXPECT_EQ(gateway_.watches().at(0).after_sequence(), 2);
  EXPECT_EQ(gateway_.watches().at(0).heartbeat_interval().seconds(), 5);
  EXPECT_EQ(gateway_.watches().at(1).after_sequence(), 3);
}

TEST_F(ProgramTest, JsonIsOneObjectALine) {
  gateway_.AddWatch({Send(1, v1::Job::STATE_PENDING), CaughtUp(MakeJob(1, v1::Job::STATE_PENDING)),
                     Heartbeat(), Send(Succeeded(2)), End()});
  const ChildResult result = Submit({"--watch", "--json"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, IsEmpty());
  const auto lines = Lines(result.out);
  ASSERT_THAT(lines, SizeIs(3));
  v1::Job job;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(lines[0], &job).ok()) << lines[0];
  EXPECT_EQ(job.id(), kJob);
  EXPECT_EQ(lines[1],
            std::string("{\"jobId\":\"") + kJob +
                "\",\"transition\":{\"sequence\":1,\"state\":\"STATE_PENDING\",\"recordTime\":"
                "\"2026-09-21T14:13:21Z\"}}");
  EXPECT_THAT(lines[2], AllOf(HasSubstr("\"maxUsdMicros\":\"1080000\""), HasSubstr(kVideo)));
}

TEST_F(ProgramTest, ErrorsNameEveryViolationAndTheReason) {
  ClientError details;
  details.message = "2 fields are wrong";
  details.reason_name = "INVALID_FIELDS";
  details.violations = {{"edit.prompt", "is empty"}, {"edit.source", "is not set"}};
  FailSubmit(Failure(grpc::StatusCode::INVALID_ARGUMENT, details));
  ChildResult result = Submit();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("INVALID_ARGUMENT INVALID_FIELDS: 2 fields are wrong"),
                    HasSubstr("edit.prompt: is empty"), HasSubstr("edit.source: is not set")));
  FailSubmit(Failure(grpc::StatusCode::INVALID_ARGUMENT, details));
  result = Submit({"--json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(
      Lines(result.err),
      std::vector<std::string>{R"({"error":{"code":"INVALID_ARGUMENT","reason":"INVALID_FIELDS",)"
                               R"("message":"2 fields are wrong","violations":[)"
                               R"({"field":"edit.prompt","description":"is empty"},)"
                               R"({"field":"edit.source","description":"is not set"}]}})"});
}

TEST_F(ProgramTest, WhyACallFailedIsTheExitCode) {
  struct Case {
    grpc::StatusCode code;
    const char* reason;
    int exit_code;
  };
  for (const Case& c : {Case{grpc::StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED", 8},
                        Case{grpc::StatusCode::FAILED_PRECONDITION, "REQUEST_ID_RETIRED", 8},
                        Case{grpc::StatusCode::FAILED_PRECONDITION, "PRICE_ABOVE_LIMIT", 9},
                        Case{grpc::StatusCode::RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED", 9},
                        Case{grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED", 10},
                        Case{grpc::StatusCode::INTERNAL, "INTERNAL", 11}}) {
    FailSubmit(Failure(c.code, c.reason));
    EXPECT_EQ(Submit().exit_code, c.exit_code) << c.reason;
  }
}

TEST_F(ProgramTest, GetListAndCancel) {
  gateway_.on_get = [](const std::string& id, v1::Job* job) {
    if (id != kJob) return Failure(grpc::StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
    *job = MakeJob(4, v1::Job::STATE_HELD);
    job->add_candidate_upstream_ids("up-1");
    return grpc::Status::OK;
  };
  ChildResult result = Run({"get", kJob});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("HELD"), HasSubstr("up-1")));
  EXPECT_EQ(Run({"get", "another"}).exit_code, 6);

  gateway_.on_cancel = [](const std::string&, v1::CancelJobResponse* response) {
    response->set_result(v1::CancelJobResponse::RESULT_PREVENTED);
    *response->mutable_job() = MakeJob(2, v1::Job::STATE_CANCELLED);
    return grpc::Status::OK;
  };
  result = Run({"cancel", kJob});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("nothing is billed"));
  gateway_.on_cancel = [](const std::string&, v1::CancelJobResponse* response) {
    response->set_result(v1::CancelJobResponse::RESULT_TOO_LATE);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"cancel", kJob}).exit_code, 8);
}

TEST_F(ProgramTest, ListReadsPagesUpToItsLimit) {
  std::vector<v1::ListJobsRequest> requests;
  gateway_.on_list = [&](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    requests.push_back(request);
    for (int n = 0; n < 3; ++n) *response->add_jobs() = MakeJob(1, v1::Job::STATE_HELD);
    response->set_next_page_token("page " + std::to_string(requests.size()));
    return grpc::Status::OK;
  };
  const ChildResult result =
      Run({"list", "--state", "held", "--state", "queued", "--label", "team=film", "--limit", "5",
           "--created-after", "2026-01-31T12:00:00Z"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(Lines(result.out), SizeIs(5));
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].page_size(), 5);
  EXPECT_EQ(requests[1].page_size(), 2);
  EXPECT_EQ(requests[1].page_token(), "page 1");
  EXPECT_THAT(requests[0].states(),
              testing::ElementsAre(v1::Job::STATE_HELD, v1::Job::STATE_QUEUED));
  EXPECT_EQ(requests[0].labels().at("team"), "film");
  EXPECT_EQ(requests[0].created_after().seconds(), 1769860800);
}

TEST_F(ProgramTest, NobodyListensIsSeven) {
  const ChildResult result =
      Run({"get", kJob, "--address", "127.0.0.1:1", "--connect-timeout", "300ms"});
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.err, HasSubstr("UNAVAILABLE"));
}

TEST_F(ProgramTest, ALostSubmitNamesTheRequestIdToRepeatItWith) {
  for (int n = 0; n < 1000; ++n) FailSubmit(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  const ChildResult result = Submit({"--timeout", "500ms"});
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.err, HasSubstr("--request-id " + gateway_.submits().at(0).request_id()));
}

TEST_F(ProgramTest, ASourceThatDoesNotFitIsUploadedFirst) {
  const TempFolder folder;
  const std::string source = folder / "take.mp4";
  std::ofstream(source).close();
  std::filesystem::resize_file(source, 5 << 20);
  // Refused: nothing is submitted.
  ChildResult result = Run({"submit", "--prompt", "x", "--source", source});
  EXPECT_EQ(result.exit_code, 9);
  EXPECT_THAT(result.err, HasSubstr("QUOTA_EXCEEDED"));
  EXPECT_THAT(gateway_.submits(), IsEmpty());

  std::int64_t received = 0;
  gateway_.on_upload = [&](grpc::ServerContext&,
                           grpc::ServerReader<v1::UploadSourceRequest>& reader,
                           v1::Source* source) {
    v1::UploadSourceRequest message;
    while (reader.Read(&message)) {
      if (message.has_open()) source->set_id(message.open().source_id());
      received += static_cast<std::int64_t>(message.chunk().size());
    }
    source->set_state(v1::Source::STATE_READY);
    return grpc::Status::OK;
  };
  result = Run({"submit", "--prompt", "x", "--source", source});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(received, 5 << 20);
  ASSERT_THAT(gateway_.submits(), SizeIs(1));
  EXPECT_THAT(gateway_.submits()[0].edit().source_id(), SizeIs(36));

  // The same id, by the command of its own.
  result = Run({"upload", source, "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(gateway_.submits()[0].edit().source_id()));
  EXPECT_EQ(result.err, "");
}

TEST_F(ProgramTest, WrongArgumentsAreTwo) {
  EXPECT_EQ(Run({}).exit_code, 2);
  EXPECT_EQ(Run({"fly"}).exit_code, 2);
  EXPECT_EQ(Run({"watch"}).exit_code, 2);
  EXPECT_EQ(Run({"watch", kJob, "--heartbeat", "1s"}).exit_code, 2);
}

TEST_F(ProgramTest, HelpNamesTheExitCodes) {
  const ChildResult result = Run({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("Exit codes:"), HasSubstr("HELD"), HasSubstr("LUMA_EDIT_ADDRESS")));
}

TEST_F(ProgramTest, AFullDiskIsTold) {
  gateway_.on_get = [](const std::string&, v1::Job* job) {
    *job = MakeJob(4, v1::Job::STATE_QUEUED);
    return grpc::Status::OK;
  };
  const ChildResult result =
      RunChild({"/bin/sh", "-c", "exec \"$0\" get x >/dev/full", LUMA_EDIT_PROGRAM},
               {{"LUMA_EDIT_ADDRESS", gateway_.address()}});
  EXPECT_EQ(result.exit_code, 12);
}

}  // namespace
}  // namespace lumaedit::client
