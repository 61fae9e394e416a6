// luma-edit on a terminal: the live line, its width, and Ctrl-C.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/time/clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/wire/client/child.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kJob[] = "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10";
constexpr char kErase[] = "\r\x1b[K";

v1::Job RunningJob() {
  v1::Job job = MakeJob(2, v1::Job::STATE_PROCESSING);
  job.mutable_create_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) - 65);
  return job;
}

class TerminalTest : public ::testing::Test {
 protected:
  std::vector<std::string> Command() {
    return {LUMA_EDIT_PROGRAM, "watch", kJob, "--address", gateway_.address()};
  }

  void RunJob() {
    gateway_.AddWatch({Send(1, v1::Job::STATE_PENDING), Send(2, v1::Job::STATE_PROCESSING),
                       CaughtUp(RunningJob()), AwaitGate("beat"),
                       Heartbeat(absl::ToUnixSeconds(absl::Now()) - 3), AwaitGate("end"),
                       Send(3, v1::Job::STATE_SUCCEEDED), End()});
  }

  ScriptedGateway gateway_;
};

TEST_F(TerminalTest, TheLiveLineIsRedrawnInPlaceAndGone) {
  RunJob();
  TerminalChild child(Command(), 100);
  ASSERT_TRUE(child.AwaitOutput(std::string(kErase) + "PROCESSING  1m")) << child.output();
  EXPECT_THAT(child.output(), Not(HasSubstr("polled")));
  // A second drawing comes by itself.
  ASSERT_TRUE(child.AwaitFurtherOutput(std::string(kErase) + "PROCESSING  1m"));
  gateway_.OpenGate("beat");
  ASSERT_TRUE(child.AwaitOutput("polled ")) << child.output();
  gateway_.OpenGate("end");
  EXPECT_EQ(child.Wait(), 0);
  const std::string& output = child.output();
  EXPECT_THAT(output, HasSubstr("  3  SUCCEEDED"));
  // Nothing of the live line is left: what follows the last erasing is whole lines, or nothing.
  const std::string rest = output.substr(output.rfind(kErase) + sizeof kErase - 1);
  EXPECT_TRUE(rest.empty() || rest.ends_with("\r\n")) << output;
  EXPECT_THAT(rest, Not(HasSubstr("PROCESSING")));
}

TEST_F(TerminalTest, TheLiveLineFitsANarrowTerminal) {
  RunJob();
  TerminalChild child(Command(), 20);
  ASSERT_TRUE(child.AwaitOutput(std::string(kErase) + "PROCESSING  1m")) << child.output();
  gateway_.OpenGate("beat");
  gateway_.OpenGate("end");
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_THAT(child.output(), Not(HasSubstr("polled")));
}

TEST_F(TerminalTest, CtrlCLeavesTheJobAndSaysHowToGoOn) {
  RunJob();
  TerminalChild child(Command(), 100);
  ASSERT_TRUE(child.AwaitOutput(std::string(kErase) + "PROCESSING  1m")) << child.output();
  child.Type("\x03");
  EXPECT_EQ(child.Wait(), 130);
  EXPECT_THAT(child.output(), EndsWith("The job goes on; resume with: luma-edit watch " +
                                       std::string(kJob) + " --after 2\r\n"));
  // The note begins on an erased line.
  EXPECT_THAT(child.output(), HasSubstr(std::string(kErase) + "luma-edit: no longer watching"));
}

TEST_F(TerminalTest, ALostConnectionShowsOnTheLine) {
  gateway_.AddWatch({Send(1, v1::Job::STATE_PENDING), CaughtUp(MakeJob(1, v1::Job::STATE_PENDING)),
                     End(Failure(grpc::StatusCode::UNAVAILABLE, "DRAINING", 1.9))});
  gateway_.SetHistory(2);
  TerminalChild child(Command(), 100);
  EXPECT_TRUE(child.AwaitOutput("connection lost, next try in 1s")) << child.output();
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(TerminalTest, AnUploadShowsHowFarItIsAndCtrlCSaysThatItGoesOn) {
  const TempFolder folder;
  const std::string path = folder / "terminal-upload.mp4";
  std::ofstream(path, std::ios::binary) << std::string(1'000'000, 'x');
  gateway_.on_upload = [](grpc::ServerContext& context,
                          grpc::ServerReader<v1::UploadSourceRequest>& reader, v1::Source*) {
    v1::UploadSourceRequest message;
    while (reader.Read(&message)) {
    }
    return context.IsCancelled() ? grpc::Status::CANCELLED : grpc::Status::OK;
  };
  TerminalChild child({LUMA_EDIT_PROGRAM, "upload", path, "--address", gateway_.address(),
                       "--max-mb-per-second", "0.3"},
                      100);
  ASSERT_TRUE(child.AwaitOutput(std::string(kErase) + "terminal-upload.mp4  ")) << child.output();
  ASSERT_TRUE(child.AwaitOutput("/s")) << child.output();
  child.Type("\x03");
  EXPECT_EQ(child.Wait(), 130);
  EXPECT_THAT(child.output(), EndsWith("the same command goes on there\r\n"));
}

}  // namespace
}  // namespace lumaedit::client
