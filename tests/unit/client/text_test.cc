// What reaches a terminal: money, times, cleaned text, and the live line's words.

#include "client/cli/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "client/cli/watch_view.h"

namespace lumaedit::client::cli {
namespace {

TEST(MoneyTest, ShowsCentsAndMoreOnlyWhenThereIsMore) {
  EXPECT_EQ(Money(1080000), "$1.08");
  EXPECT_EQ(Money(0), "$0.00");
  EXPECT_EQ(Money(45360000), "$45.36");
  EXPECT_EQ(Money(72500), "$0.0725");
  EXPECT_EQ(Money(1), "$0.000001");
  EXPECT_EQ(Money(1000000), "$1.00");
  EXPECT_EQ(Money(-1500000), "-$1.50");
  EXPECT_EQ(Money(std::numeric_limits<std::int64_t>::min()), "-$9223372036854.775808");
}

TEST(MoneyTest, ShowsARangeOnlyWhenTheBoundsDiffer) {
  v1::PriceRange price;
  price.set_min_usd_micros(1080000);
  price.set_max_usd_micros(1080000);
  EXPECT_EQ(Price(price), "$1.08");
  price.set_max_usd_micros(6480000);
  EXPECT_EQ(Price(price), "$1.08 – $6.48");
  v1::Charge charge;
  charge.set_state(v1::Charge::STATE_UNCERTAIN);
  *charge.mutable_amount() = price;
  EXPECT_EQ(ChargeText(charge), "$1.08 – $6.48 uncertain");
}

TEST(CleanTest, KeepsWhatCanBeRead) {
  EXPECT_EQ(Clean("plain text"), "plain text");
  EXPECT_EQ(Clean("Über 夜の雨 🌧"), "Über 夜の雨 🌧");
  EXPECT_EQ(Clean(""), "");
}

TEST(CleanTest, RemovesWhatATerminalWouldActOn) {
  EXPECT_EQ(Clean("a\x1b[2Jb"), "a [2Jb");
  EXPECT_EQ(Clean("a\r\n\tb"), "a b");
  EXPECT_EQ(Clean("a\x7f"), "a");
  EXPECT_EQ(Clean("a\xc2\x9b"
                  "31mb"),
            "a 31mb");  // CSI as one C1 character
  EXPECT_EQ(Clean("a\xe2\x80\xae"
                  "b"),
            "a b");  // right-to-left override
  EXPECT_EQ(Clean("a\xe2\x80\xa8"
                  "b"),
            "a b");  // line separator
  EXPECT_EQ(Clean("a\xef\xbb\xbf"
                  "b"),
            "a b");  // byte order mark
  EXPECT_EQ(Clean(absl::string_view("a\0b", 3)), "a b");
}

TEST(CleanTest, ReplacesBytesThatAreNotUtf8) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(Clean("a\x9b"
                  "b"),
            "a" + bad + "b");                         // a bare C1 byte
  EXPECT_EQ(Clean("\xc0\x9b"), bad + bad);            // overlong escape
  EXPECT_EQ(Clean("\xe2\x80"), bad + bad);            // cut short
  EXPECT_EQ(Clean("\xed\xa0\x80"), bad + bad + bad);  // half a surrogate pair
  EXPECT_EQ(Clean("\xf4\x90\x80\x80"), bad + bad + bad + bad);
}

TEST(ElapsedTest, IsShort) {
  EXPECT_EQ(Elapsed(absl::Seconds(-3)), "0s");
  EXPECT_EQ(Elapsed(absl::Milliseconds(7900)), "7s");
  EXPECT_EQ(Elapsed(absl::Seconds(125)), "2m05s");
  EXPECT_EQ(Elapsed(absl::Minutes(62)), "1h02m");
}

TEST(FitTest, CutsBetweenCodePoints) {
  EXPECT_EQ(Fit("abc", 2), "ab");
  EXPECT_EQ(Fit("äöü", 2), "äö");
  EXPECT_EQ(Fit("abc", 0), "");
  EXPECT_EQ(Fit("abc", -1), "");
}

class WatchViewTest : public ::testing::Test {
 protected:
  void SetUp() override {
    v1::Job job;
    job.set_state(v1::Job::STATE_PENDING);
    job.mutable_create_time()->set_seconds(1000);
    job.set_jobs_ahead(2);
    view_.Take(job);
  }
  std::string Line(int columns = 200) { return view_.Line(absl::FromUnixSeconds(1065), columns); }
  WatchView view_;
};

TEST_F(WatchViewTest, BeginsWithConnecting) {
  EXPECT_EQ(WatchView().Line(absl::FromUnixSeconds(1065), 80), "connecting");
}

TEST_F(WatchViewTest, ShowsStateTimeAndWhatIsKnown) {
  EXPECT_EQ(Line(), "PENDING  1m05s  2 jobs ahead");
  v1::Transition transition;
  transition.set_state(v1::Job::STATE_QUEUED);
  view_.Take(transition);
  v1::Heartbeat heartbeat;
  heartbeat.mutable_last_poll_time()->set_seconds(1062);
  heartbeat.set_stalled(true);
  view_.Take(heartbeat);
  EXPECT_EQ(Line(), "QUEUED  1m05s  polled 3s ago  stalled at the upstream");
  view_.Interrupted(absl::FromUnixSeconds(1069));
  EXPECT_EQ(Line(), "QUEUED  1m05s  connection lost, next try in 4s  stalled at the upstream");
}

TEST_F(WatchViewTest, LeavesOutWholePartsOnANarrowTerminal) {
  EXPECT_EQ(Line(20), "PENDING  1m05s");
  EXPECT_EQ(Line(3), "PENDING");
}

}  // namespace
}  // namespace lumaedit::client::cli
