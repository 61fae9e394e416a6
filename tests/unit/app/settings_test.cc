#include "server/app/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lumaedit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct AddressCase {
  std::string text;
  bool fine;
  bool loopback = false;
  std::string printed = "";
};

class AddressTest : public ::testing::TestWithParam<AddressCase> {};

TEST_P(AddressTest, IsReadAndPrinted) {
  const AddressCase& c = GetParam();
  Address address;
  const std::string wrong = ReadAddress(c.text, &address);
  EXPECT_EQ(wrong.empty(), c.fine) << wrong;
  if (!c.fine) return;
  EXPECT_EQ(address.IsLoopback(), c.loopback);
  EXPECT_EQ(address.ToString(), c.printed);
}

INSTANTIATE_TEST_SUITE_P(
    All, AddressTest,
    ::testing::Values(AddressCase{"127.0.0.1:8443", true, true, "127.0.0.1:8443"},
                      AddressCase{"127.9.9.9:1", true, true, "127.9.9.9:1"},
                      AddressCase{"localhost:0", true, true, "localhost:0"},
                      AddressCase{"[::1]:65535", true, true, "[::1]:65535"},
                      AddressCase{"0.0.0.0:8443", true, false, "0.0.0.0:8443"},
                      AddressCase{"[::]:8443", true, false, "[::]:8443"},
                      AddressCase{"128.0.0.1:8443", true, false, "128.0.0.1:8443"},
                      AddressCase{"", true, false, ""},  //
                      AddressCase{"::1:8443", false}, AddressCase{"127.0.0.1", false},
                      AddressCase{"127.0.0.1:", false}, AddressCase{"127.0.0.1:65536", false},
                      AddressCase{"127.0.0.1:-1", false}, AddressCase{":8443", false},
                      AddressCase{"localhost.evil.example:1", false},
                      AddressCase{"[127.0.0.1]:1", false}));

class SettingListTest : public ::testing::Test {
 protected:
  std::string Read(const std::string& text) { return list_.all().back().read(text); }

  SettingList list_;
};

TEST_F(SettingListTest, DurationNeedsAUnitAndStaysInRange) {
  absl::Duration value = absl::Minutes(10);
  list_.Duration("confirm-window", &value, absl::Seconds(1), absl::Hours(24), "");
  EXPECT_EQ(list_.all().back().default_text, "10m");
  EXPECT_EQ(list_.all().back().range, "1s to 24h");

  EXPECT_THAT(Read("1h30m"), IsEmpty());
  EXPECT_EQ(value, absl::Minutes(90));
  EXPECT_THAT(Read("1s"), IsEmpty());
  EXPECT_THAT(Read("24h"), IsEmpty());
  for (const char* wrong : {"", "10", "ten", "10 m", "999ms", "24h1s", "-1m", "inf", "4H"}) {
    EXPECT_THAT(Read(wrong), Not(IsEmpty())) << wrong;
  }
  EXPECT_EQ(value, absl::Hours(24)) << "a wrong text changes nothing";
}

TEST_F(SettingListTest, NumbersStayInRange) {
  int whole = 8;
  list_.Integer("posts-in-flight", &whole, 1, 64, "");
  EXPECT_THAT(Read("64"), IsEmpty());
  for (const char* wrong : {"0", "65", "", "8.0", "8x", "99999999999999999999"}) {
    EXPECT_THAT(Read(wrong), HasSubstr("1 to 64")) << wrong;
  }
  EXPECT_EQ(whole, 64);

  double number = 20;
  list_.Number("poll-rate", &number, 0.1, 1000, "");
  EXPECT_THAT(Read("0.1"), IsEmpty());
  for (const char* wrong : {"0", "nan", "inf", "1e4", "", "-1"}) {
    EXPECT_THAT(Read(wrong), HasSubstr("0.1 to 1000")) << wrong;
  }
  EXPECT_EQ(number, 0.1);
}

TEST_F(SettingListTest, ChoiceIsOneOfItsWords) {
  std::string level = "info";
  list_.Choice("log-level", &level, {"debug", "info"}, "");
  EXPECT_THAT(Read("debug"), IsEmpty());
  EXPECT_THAT(Read("DEBUG"), HasSubstr("debug, info"));
  EXPECT_EQ(level, "debug");
}

TEST_F(SettingListTest, UsDollarsAreKeptToTheMicroDollar) {
  std::optional<std::int64_t> amount;
  list_.Usd("default-budget-usd", &amount, "");
  EXPECT_EQ(list_.all().back().default_text, "");
  const struct {
    const char* text;
    std::int64_t micros;
    const char* printed;
  } rows[] = {{"0", 0, "0"},
              {"50", 50'000'000, "50"},
              {"7.56", 7'560'000, "7.56"},
              {"0.000001", 1, "0.000001"},
              {"0.100000", 100'000, "0.1"},
              {"1000000000", 1'000'000'000'000'000, "1000000000"}};
  for (const auto& row : rows) {
    EXPECT_THAT(Read(row.text), IsEmpty()) << row.text;
    EXPECT_EQ(amount, row.micros) << row.text;
    EXPECT_EQ(list_.all().back().print(), row.printed);
  }
  for (const char* wrong : {"-1", "+1", "1,5", "1.", ".5", "1.0000001", "1e3", "$5", " 5", "5 ",
                            "1000000001", "99999999999999999999", "nan"}) {
    EXPECT_THAT(Read(wrong), Not(IsEmpty())) << wrong;
    EXPECT_EQ(amount, 1'000'000'000'000'000) << "a wrong text changes nothing";
  }
  EXPECT_THAT(Read(""), IsEmpty());
  EXPECT_EQ(amount, std::nullopt);
}

TEST_F(SettingListTest, EnvironmentNameFollowsTheName) {
  Setting setting;
  setting.name = "job-deadline";
  EXPECT_EQ(setting.EnvironmentName(), "LUMAEDIT_JOB_DEADLINE");
}

}  // namespace
}  // namespace lumaedit
