#include "server/app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/temp_folder.h"
#include "tests/unit/app/temp_tls.h"

namespace lumaedit {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kCanary[] = "canary-key-4711";

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteSelfSigned(Path("cert.pem"), Path("key.pem"));
    WriteSelfSigned(Path("other.pem"), Path("other-key.pem"));
    Write("api-key", absl::StrCat(kCanary, "\n"));
    unsetenv("GMI_API_KEY");
  }

  void TearDown() override {
    for (const std::string& name : variables_) unsetenv(name.c_str());
  }

  std::string Path(const std::string& name) const { return folder_ / name; }

  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }

  void SetVariable(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    variables_.push_back(name);
  }

  // What every good command line has, and `more`.
  std::vector<std::string> With(std::vector<std::string> more) const {
    more.push_back("--data-dir=" + folder_.path());
    more.push_back("--gmi-api-key-file=" + Path("api-key"));
    return more;
  }

  std::vector<std::string> TlsArguments() const {
    return {"--listen=0.0.0.0:8443", "--tls-cert-file=" + Path("cert.pem"),
            "--tls-key-file=" + Path("key.pem"), "--client-ca-file=" + Path("cert.pem")};
  }

  TempFolder folder_;
  std::vector<std::string> variables_;
};

TEST_F(ConfigTest, DefaultsAreThoseOfTheDesign) {
  const ConfigOutcome outcome = ReadConfig(With({}));
  ASSERT_THAT(outcome.errors, IsEmpty());
  ASSERT_TRUE(outcome.config.has_value());
  const Config& config = *outcome.config;
  EXPECT_EQ(config.listening.address.ToString(), "127.0.0.1:8443");
  EXPECT_TRUE(config.listening.health_address.empty());
  EXPECT_EQ(config.asking.base_url, "https://console.gmicloud.ai/api/v1/ie/requestqueue/apikey");
  EXPECT_EQ(config.engine.poll.job_deadline, absl::Hours(4));
  EXPECT_EQ(config.engine.reconcile.confirm_window, absl::Minutes(10));
  EXPECT_EQ(config.engine.dispatch.posts_in_flight, 8);
  EXPECT_EQ(config.engine.poll.requests_per_second, 20);
  EXPECT_EQ(config.rpc.validation.longest_source, absl::Seconds(30));
  EXPECT_EQ(config.LeastLogLevel(), LogLevel::kInfo);
  EXPECT_EQ(config.asking.api_key.Reveal(), kCanary) << "without the line end";
}

TEST_F(ConfigTest, TellsAllErrorsTogetherEachWithItsName) {
  const ConfigOutcome outcome = ReadConfig(
      {"--listen=nowhere", "--health-listen=1.2.3.4:99999", "--tls-cert-file=" + Path("absent"),
       "--upstream-base-url=http://example.com", "--job-deadline=4", "--posts-in-flight=0",
       "--poll-rate=x", "--log-level=loud", "--data-dir=" + Path("no/such"), "--surprise=1"});
  EXPECT_FALSE(outcome.config.has_value());
  EXPECT_EQ(outcome.exit_code, 2);
  for (const char* name :
       {"--listen:", "--health-listen:", "--tls-cert-file:", "--upstream-base-url:",
        "--job-deadline:", "--posts-in-flight:", "--poll-rate:", "--log-level:", "--data-dir:",
        "--gmi-api-key-file:", "unknown setting: --surprise"}) {
    EXPECT_THAT(outcome.errors, Contains(StartsWith(name)));
  }
}

TEST_F(ConfigTest, TheConfirmWindowIsNoShorterThanTheVisibilityTime) {
  EXPECT_THAT(ReadConfig(With({"--confirm-window=119s"})).errors,
              ElementsAre(AllOf(StartsWith("--confirm-window:"), HasSubstr("--visibility-time"))));
  EXPECT_THAT(ReadConfig(With({"--confirm-window=2m"})).errors, IsEmpty());
}

TEST_F(ConfigTest, OffLoopbackNeedsTlsWithClientCertificates) {
  EXPECT_THAT(ReadConfig(With({"--listen=0.0.0.0:8443"})).errors,
              ElementsAre(AllOf(StartsWith("--listen:"), HasSubstr("--client-ca-file"))));

  auto without_ca = TlsArguments();
  without_ca.pop_back();
  EXPECT_THAT(ReadConfig(With(without_ca)).errors,
              ElementsAre(StartsWith("--client-ca-file:"), StartsWith("--listen:")));

  const ConfigOutcome fine = ReadConfig(With(TlsArguments()));
  EXPECT_THAT(fine.errors, IsEmpty());
  ASSERT_TRUE(fine.config.has_value());
  EXPECT_TRUE(fine.config->listening.HasTls());
}

TEST_F(ConfigTest, HealthPortMayBeOffLoopbackWithoutTls) {
  EXPECT_THAT(ReadConfig(With({"--health-listen=0.0.0.0:8081"})).errors, IsEmpty());
  EXPECT_THAT(ReadConfig(With({"--health-listen=0.0.0.0:8443"})).errors,
              ElementsAre(StartsWith("--health-listen:")));
}

TEST_F(ConfigTest, AdminPortIsOnLoopbackOrNowhere) {
  EXPECT_THAT(ReadConfig(With({"--admin-listen=0.0.0.0:8444"})).errors,
              ElementsAre(StartsWith("--admin-listen:")));
  EXPECT_THAT(ReadConfig(With({"--admin-listen=[::1]:0"})).errors, IsEmpty());
  const ConfigOutcome off = ReadConfig(With({"--admin-listen="}));
  ASSERT_THAT(off.errors, IsEmpty());
  EXPECT_TRUE(off.config->listening.admin_address.empty());
}

TEST_F(ConfigTest, TlsFilesAreCheckedAtStart) {
  EXPECT_THAT(ReadConfig(With({"--tls-cert-file=" + Path("cert.pem")})).errors,
              ElementsAre(StartsWith("--tls-key-file:"), StartsWith("--client-ca-file:")));
  EXPECT_THAT(ReadConfig(With({"--tls-key-file=" + Path("key.pem")})).errors,
              ElementsAre(StartsWith("--tls-cert-file:")));
  EXPECT_THAT(ReadConfig(With({"--client-ca-file=" + Path("cert.pem")})).errors,
              ElementsAre(StartsWith("--client-ca-file:")));
  EXPECT_THAT(ReadConfig(With({"--tls-cert-file=" + Path("cert.pem"),
                               "--tls-key-file=" + Path("other-key.pem"),
                               "--client-ca-file=" + Path("cert.pem")}))
                  .errors,
              ElementsAre(AllOf(StartsWith("--tls-cert-file:"), HasSubstr("mismatch"))));
  EXPECT_THAT(ReadConfig(With({"--upstream-ca-file=" + Path("api-key")})).errors,
              ElementsAre(AllOf(StartsWith("--upstream-ca-file:"), Not(HasSubstr(kCanary)))));
}

TEST_F(ConfigTest, KeyComesFromTheFileOrElseFromTheVariable) {
  SetVariable("GMI_API_KEY", "from-variable");
  const std::vector<std::string> arguments = {"--data-dir=" + folder_.path()};
  ConfigOutcome outcome = ReadConfig(arguments);
  ASSERT_TRUE(outcome.config.has_value());
  EXPECT_EQ(outcome.config->asking.api_key.Reveal(), "from-variable");

  outcome = ReadConfig(With({}));
  ASSERT_TRUE(outcome.config.has_value());
  EXPECT_EQ(outcome.config->asking.api_key.Reveal(), kCanary);
}

TEST_F(ConfigTest, KeyIsNeverShown) {
  const ConfigOutcome printed = ReadConfig(With({"--print-config"}));
  EXPECT_THAT(printed.text, AllOf(HasSubstr("***"), Not(HasSubstr(kCanary))));

  Write("api-key", absl::StrCat(kCanary, " ", kCanary));
  for (const std::string& error : ReadConfig(With({})).errors) {
    EXPECT_THAT(error, AllOf(StartsWith("--gmi-api-key-file:"), Not(HasSubstr(kCanary))));
  }
  for (const std::string& error :
       ReadConfig(With({absl::StrCat("--gmi-api-key=", kCanary)})).errors) {
    EXPECT_THAT(error, Not(HasSubstr(kCanary)));
  }
  for (const std::string& error : ReadConfig(With({"--gmi-api-key", kCanary})).errors) {
    EXPECT_THAT(error, Not(HasSubstr(kCanary)));
  }
}

TEST_F(ConfigTest, PreviousKeyIsReadAndNeverShown) {
  const std::string name = "--gmi-previous-api-key-file";
  const std::string file = Write("old-key", "old-canary-key\n");
  const ConfigOutcome outcome = ReadConfig(With({absl::StrCat(name, "=", file)}));
  ASSERT_THAT(outcome.errors, IsEmpty());
  EXPECT_EQ(outcome.config->asking.previous_api_key.Reveal(), "old-canary-key");
  EXPECT_THAT(ReadConfig(With({absl::StrCat(name, "=", file), "--print-config"})).text,
              Not(HasSubstr("old-canary-key")));
  Write("old-key", "old-canary-key twice");
  EXPECT_THAT(ReadConfig(With({absl::StrCat(name, "=", file)})).errors,
              ElementsAre(AllOf(StartsWith(name), Not(HasSubstr("canary")))));
}

TEST_F(ConfigTest, EmptyKeyIsRefused) {
  Write("api-key", "\n");
  EXPECT_THAT(ReadConfig(With({})).errors, ElementsAre(HasSubstr("the key is empty")));
}

TEST_F(ConfigTest, CommandLineBeatsFileBeatsVariable) {
  const std::string file = Write("settings.ini",
                                 "confirm-window = \"3m\"\n"
                                 "poll-rate = \"7\"\n");
  SetVariable("LUMAEDIT_POLL_RATE", "5");
  SetVariable("LUMAEDIT_POSTS_IN_FLIGHT", "3");
  const ConfigOutcome outcome = ReadConfig(With({"--config=" + file, "--confirm-window=2m"}));
  ASSERT_THAT(outcome.errors, IsEmpty());
  EXPECT_EQ(outcome.config->engine.reconcile.confirm_window, absl::Minutes(2));
  EXPECT_EQ(outcome.config->engine.poll.requests_per_second, 7);
  EXPECT_EQ(outcome.config->engine.dispatch.posts_in_flight, 3);
}

TEST_F(ConfigTest, UnknownNameInTheFileIsAnError) {
  const std::string file = Write("settings.ini", "confirm-windw = \"3m\"\n");
  EXPECT_THAT(ReadConfig(With({"--config=" + file})).errors,
              ElementsAre(HasSubstr("confirm-windw")));
  EXPECT_THAT(ReadConfig(With({"--config=" + Path("absent")})).errors, Not(IsEmpty()));
}

TEST_F(ConfigTest, PrintedSettingsCanBeReadBack) {
  const ConfigOutcome printed =
      ReadConfig(With({"--print-config", "--job-deadline=90m", "--poll-rate=2.5"}));
  EXPECT_FALSE(printed.config.has_value());
  EXPECT_EQ(printed.exit_code, 0);
  const ConfigOutcome again = ReadConfig({"--config=" + Write("printed.ini", printed.text)});
  ASSERT_THAT(again.errors, IsEmpty());
  EXPECT_EQ(again.config->engine.poll.job_deadline, absl::Minutes(90));
  EXPECT_EQ(again.config->engine.poll.requests_per_second, 2.5);
  EXPECT_EQ(again.config->storing.data_dir, folder_.path());
}

TEST_F(ConfigTest, SpendLimitADayIsThereUnlessItIsSwitchedOff) {
  const auto limit = [&](std::vector<std::string> more) {
    const ConfigOutcome outcome = ReadConfig(With(std::move(more)));
    EXPECT_THAT(outcome.errors, IsEmpty());
    return outcome.config ? outcome.config->budget.daily_limit_usd_micros : std::nullopt;
  };
  EXPECT_EQ(limit({}), 100'000'000);
  EXPECT_EQ(limit({"--spend-limit-usd-per-day=7.56"}), 7'560'000);
  EXPECT_EQ(limit({"--spend-limit-usd-per-day=0"}), std::nullopt);
  for (const char* here : {"127.0.0.1", "[::1]", "localhost"}) {
    const std::string url = absl::StrCat("--upstream-base-url=https://", here, ":4443/x");
    EXPECT_EQ(limit({url}), std::nullopt) << here;
    EXPECT_EQ(limit({url, "--spend-limit-usd-per-day=3"}), 3'000'000) << here;
  }
  // What reads like this machine and is not.
  EXPECT_EQ(limit({"--upstream-base-url=https://localhost.example.com/x"}), 100'000'000);
  EXPECT_THAT(ReadConfig(With({"--upstream-base-url=https://127.0.0.1.example.com/x"})).errors,
              ElementsAre(StartsWith("--upstream-base-url:")));
}

TEST_F(ConfigTest, UpstreamUrlIsHttpsAndBare) {
  for (const char* wrong :
       {"http://127.0.0.1/x", "ftp://example.com", "example.com", "https://", "",
        "https://user:pw@example.com/x", "https://example.com/x?y=1", "https://example.com/#f"}) {
    const auto errors = ReadConfig(With({absl::StrCat("--upstream-base-url=", wrong)})).errors;
    EXPECT_THAT(errors,
                ElementsAre(AllOf(StartsWith("--upstream-base-url:"), Not(HasSubstr("pw")))))
        << wrong;
  }
  EXPECT_THAT(ReadConfig(With({"--upstream-base-url=https://127.0.0.1:4443/x"})).errors, IsEmpty());
}

TEST_F(ConfigTest, DataDirMayBeMadeWhereItsParentExists) {
  const std::string key = "--gmi-api-key-file=" + Path("api-key");
  EXPECT_THAT(ReadConfig({key, "--data-dir=" + Path("new")}).errors, IsEmpty());
  EXPECT_THAT(ReadConfig({key, "--data-dir=" + Path("new/")}).errors, IsEmpty());
  EXPECT_THAT(ReadConfig({key, "--data-dir=" + Path("api-key")}).errors,
              ElementsAre(StartsWith("--data-dir:")));
  EXPECT_THAT(ReadConfig({key}).errors, ElementsAre(StartsWith("--data-dir:")));
}

TEST_F(ConfigTest, HelpAndVersionNeedNothingElse) {
  const ConfigOutcome help = ReadConfig({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.text, AllOf(HasSubstr("--job-deadline"), HasSubstr("LUMAEDIT_JOB_DEADLINE")));
  EXPECT_THAT(ReadConfig({"--version"}).text, StartsWith("luma-edit-gateway "));
}

// The table in the folder's README is what people read; this keeps it true.
TEST_F(ConfigTest, ReadmeHasEverySetting) {
  std::ifstream file(LUMAEDIT_SOURCE_DIR "/server/app/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  Config config;
  const SettingList list = SettingsOf(config);
  for (const Setting& setting : list.all()) {
    const std::string shown =
        setting.default_text.empty() ? "" : absl::StrCat("`", setting.default_text, "`");
    const std::string row = absl::StrCat("| `--", setting.name, "` | ", shown, " | ", setting.range,
                                         " | ", setting.meaning, " |\n");
    EXPECT_TRUE(absl::StrContains(readme.str(), row)) << "missing: " << row;
  }
}

}  // namespace
}  // namespace lumaedit
