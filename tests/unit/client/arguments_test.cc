// The command line and the environment of luma-edit.

#include "client/cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace lumaedit::client::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::variant<Arguments, ParseStop> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "luma-edit");
  return ParseArguments(static_cast<int>(words.size()), words.data());
}

Arguments Parsed(const std::vector<const char*>& words) {
  auto parsed = Parse(words);
  if (const auto* stop = std::get_if<ParseStop>(&parsed)) {
    ADD_FAILURE() << stop->text;
    return {};
  }
  return std::get<Arguments>(parsed);
}

std::string Refused(const std::vector<const char*>& words) {
  const auto parsed = Parse(words);
  const auto* stop = std::get_if<ParseStop>(&parsed);
  if (stop == nullptr) return "was taken";
  EXPECT_EQ(stop->exit_code, 2);
  return stop->text;
}

TEST(ArgumentsTest, HasDefaults) {
  const Arguments arguments = Parsed({"watch", "j"});
  EXPECT_EQ(arguments.command, Command::kWatch);
  EXPECT_EQ(arguments.job_id, "j");
  EXPECT_EQ(arguments.after_sequence, 0);
  EXPECT_EQ(arguments.connection.address, "127.0.0.1:8443");
  EXPECT_EQ(arguments.connection.connect_timeout, absl::Seconds(10));
  EXPECT_EQ(arguments.heartbeat, absl::Seconds(15));
  EXPECT_FALSE(arguments.json);
}

TEST(ArgumentsTest, TakesGlobalOptionsOnEitherSideOfTheCommand) {
  EXPECT_TRUE(Parsed({"--json", "get", "j"}).json);
  const Arguments after = Parsed({"get", "j", "--json", "--address", "h:1"});
  EXPECT_TRUE(after.json);
  EXPECT_EQ(after.connection.address, "h:1");
}

TEST(ArgumentsTest, FallsBackToTheEnvironment) {
  setenv("LUMA_EDIT_ADDRESS", "gateway:7", 1);
  setenv("LUMA_EDIT_HEARTBEAT", "20s", 1);
  setenv("LUMA_EDIT_TLS_CA_FILE", "/ca.pem", 1);
  const Arguments from_environment = Parsed({"watch", "j"});
  EXPECT_EQ(from_environment.connection.address, "gateway:7");
  EXPECT_EQ(from_environment.heartbeat, absl::Seconds(20));
  EXPECT_EQ(from_environment.connection.tls_ca_file, "/ca.pem");
  EXPECT_EQ(Parsed({"watch", "j", "--address", "other:8"}).connection.address, "other:8");
  unsetenv("LUMA_EDIT_ADDRESS");
  unsetenv("LUMA_EDIT_HEARTBEAT");
  unsetenv("LUMA_EDIT_TLS_CA_FILE");
}

TEST(ArgumentsTest, ReadsAWholeSubmission) {
  const Arguments arguments = Parsed({"submit",
                                      "--prompt",
                                      "Night rain",
                                      "--generation-id",
                                      "g",
                                      "--format",
                                      "HDR_EXR_1080P",
                                      "--strength",
                                      "flex-2",
                                      "--pose",
                                      "coarse",
                                      "--depth-blur",
                                      "0",
                                      "--normals-augmentation",
                                      "0.25",
                                      "--trajectory-sparsity",
                                      "1",
                                      "--face",
                                      "--start-frame-url",
                                      "https://a.test/f.png",
                                      "--label",
                                      "team=film",
                                      "--label",
                                      "take=a=b",
                                      "--max-price-usd",
                                      "2.16",
                                      "--source-duration",
                                      "12.5s",
                                      "--start-within",
                                      "2h",
                                      "--request-id",
                                      "r",
                                      "--watch",
                                      "--heartbeat",
                                      "5s"});
  const SubmitArguments& submit = arguments.submit;
  EXPECT_EQ(submit.prompt, "Night rain");
  EXPECT_EQ(submit.generation_id, "g");
  EXPECT_EQ(submit.format, v1::OUTPUT_FORMAT_HDR_EXR_1080P);
  EXPECT_EQ(submit.strength, v1::ManualConditioning::STRENGTH_FLEX_2);
  EXPECT_EQ(submit.pose, v1::ManualConditioning::POSE_COARSE);
  EXPECT_EQ(submit.depth_blur, 0.0);
  EXPECT_EQ(submit.normals_augmentation, 0.25);
  EXPECT_EQ(submit.trajectory_sparsity, 1.0);
  EXPECT_TRUE(submit.face);
  EXPECT_EQ(submit.start_frame_url, "https://a.test/f.png");
  EXPECT_THAT(arguments.labels, ElementsAre(Pair("take", "a=b"), Pair("team", "film")));
  EXPECT_EQ(submit.max_price_usd_micros, 2160000);
  EXPECT_EQ(submit.source_duration, absl::Milliseconds(12500));
  EXPECT_EQ(submit.start_within, absl::Hours(2));
  EXPECT_EQ(submit.request_id, "r");
  EXPECT_TRUE(submit.watch);
  EXPECT_EQ(arguments.heartbeat, absl::Seconds(5));
}

TEST(ArgumentsTest, KnowsEveryFormatThatIsPriced) {
  for (const char* format : {"sdr-540p", "sdr-720p", "sdr-1080p", "hdr-720p", "hdr-1080p",
                             "hdr-exr-720p", "hdr-exr-1080p"}) {
    EXPECT_NE(Parsed({"submit", "--format", format}).submit.format, v1::OUTPUT_FORMAT_UNSPECIFIED)
        << format;
  }
  EXPECT_THAT(Refused({"submit", "--format", "hdr-540p"}), HasSubstr("sdr-540p"));
  EXPECT_THAT(Refused({"submit", "--format", "unspecified"}), HasSubstr("is none of"));
}

TEST(ArgumentsTest, ReadsAListing) {
  const Arguments arguments =
      Parsed({"list", "--state", "HELD", "--state", "queued", "--limit", "0", "--created-after",
              "2026-01-31T12:00:00Z", "--label", "a=b"});
  EXPECT_THAT(arguments.list.states, ElementsAre(v1::Job::STATE_HELD, v1::Job::STATE_QUEUED));
  EXPECT_EQ(arguments.list.limit, 0);
  EXPECT_EQ(arguments.list.created_after, absl::FromUnixSeconds(1769860800));
  EXPECT_THAT(arguments.labels, ElementsAre(Pair("a", "b")));
}

TEST(ArgumentsTest, SaysWhatIsWrong) {
  EXPECT_THAT(Refused({"submit", "--generation-id", "g", "--source", "f"}), HasSubstr("excludes"));
  EXPECT_THAT(Refused({"submit", "--prompt", "a", "--prompt-file", "f"}), HasSubstr("excludes"));
  EXPECT_THAT(Refused({"submit", "--label", "team"}), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(Refused({"submit", "--label", "a=1", "--label", "a=2"}), HasSubstr("given twice"));
  EXPECT_THAT(Refused({"submit", "--max-price-usd", "1.0800001"}), HasSubstr("no amount"));
  EXPECT_THAT(Refused({"submit", "--source-duration", "12"}), HasSubstr("no duration"));
  EXPECT_THAT(Refused({"watch", "j", "--heartbeat", "4s"}), HasSubstr("from 5s to 1m"));
  EXPECT_THAT(Refused({"watch", "j", "--after", "-1"}), HasSubstr("--after"));
  EXPECT_THAT(Refused({"list", "--state", "done"}), HasSubstr("no state"));
  EXPECT_THAT(Refused({"list", "--created-after", "yesterday"}), HasSubstr("2026-01-31T12:00:00Z"));
  EXPECT_THAT(Refused({"get"}), HasSubstr("job"));
  EXPECT_THAT(Refused({}), HasSubstr("subcommand"));
}

TEST(ArgumentsTest, HelpIsNoError) {
  const auto parsed = Parse({"submit", "--help"});
  const auto* stop = std::get_if<ParseStop>(&parsed);
  ASSERT_NE(stop, nullptr);
  EXPECT_EQ(stop->exit_code, 0);
  EXPECT_THAT(stop->text, HasSubstr("--depth-blur"));
}

TEST(ParseUsdMicrosTest, IsExact) {
  EXPECT_EQ(ParseUsdMicros("1.08"), 1080000);
  EXPECT_EQ(ParseUsdMicros("$45.36"), 45360000);
  EXPECT_EQ(ParseUsdMicros("2"), 2000000);
  EXPECT_EQ(ParseUsdMicros("0.000001"), 1);
  for (const char* wrong :
       {"", "$", "1.", ".5", "-1", "1,08", "1e3", "1.0800001", "1 ", "0x1", "9999999999"}) {
    EXPECT_EQ(ParseUsdMicros(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace lumaedit::client::cli
