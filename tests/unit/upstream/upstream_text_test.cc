#include "server/upstream/upstream_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lumaedit {
namespace {

TEST(CleanTextTest, BoundsAtACodePoint) {
  EXPECT_EQ(CleanText("ab\xC3\xA9", Secret(), 3), "ab");
  EXPECT_EQ(CleanText("ab\xC3\xA9", Secret(), 4), "ab\xC3\xA9");
  EXPECT_EQ(CleanText(std::string(9000, 'x'), Secret(), 500).size(), 500U);
}

TEST(CleanTextTest, ReplacesControlCharactersAndBrokenUtf8) {
  EXPECT_EQ(CleanText(std::string_view("a\n\t\0b\x7F", 6), Secret(), 50), "a   b ");
  EXPECT_EQ(CleanText("\xE2\x80\xA8\xC2\x85", Secret(), 50), "  ");
  EXPECT_EQ(CleanText("\xC0\xAF\xED\xA0\x80", Secret(), 50),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(CleanTextTest, TakesTheKeyOut) {
  const Secret key("canary-key-0123456789");
  EXPECT_EQ(CleanText("bad key canary-key-0123456789!", key, 500), "bad key [key]!");
  EXPECT_EQ(CleanText("Y2FuYXJ5LWtleS0wMTIzNDU2Nzg5", key, 500), "[key]");
  EXPECT_EQ(CleanText("63616e6172792d6b65792d30313233343536373839", key, 500), "[key]");
  // Cut off by the bound of what was kept.
  EXPECT_EQ(CleanText("tail canary-key-01", key, 500), "tail ");
}

TEST(StatusWordTest, KnowsTheTable) {
  EXPECT_EQ(ReadStatusWord("created"), UpstreamStatus::kQueued);
  EXPECT_EQ(ReadStatusWord("queued"), UpstreamStatus::kQueued);
  EXPECT_EQ(ReadStatusWord("Dispatched"), UpstreamStatus::kQueued);
  EXPECT_EQ(ReadStatusWord("PROCESSING"), UpstreamStatus::kProcessing);
  EXPECT_EQ(ReadStatusWord("SUCCESS"), UpstreamStatus::kSuccess);
  EXPECT_EQ(ReadStatusWord("failed"), UpstreamStatus::kFailed);
  EXPECT_EQ(ReadStatusWord("cancelled"), UpstreamStatus::kCancelled);
  EXPECT_EQ(ReadStatusWord("canceled"), UpstreamStatus::kCancelled);
  for (const char* word : {"", "completed", "finished", "success ", "error", "throttled"}) {
    EXPECT_EQ(ReadStatusWord(word), UpstreamStatus::kUnknown) << word;
  }
}

TEST(UpstreamIdTest, IsFitForAPath) {
  EXPECT_TRUE(IsUpstreamId("0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10"));
  EXPECT_TRUE(IsUpstreamId(std::string(128, 'a')));
  for (const std::string& id : {std::string(), std::string(129, 'a'), std::string("a/b"),
                                std::string("../x"), std::string("a b"), std::string("a\n")}) {
    EXPECT_FALSE(IsUpstreamId(id)) << id;
  }
}

TEST(OutputUrlTest, IsHttpsWithoutUserInformation) {
  const Secret key("canary-key-0123456789");
  EXPECT_TRUE(IsOutputUrl("https://storage.example.test/out/0b6f/output.mp4?sig=a%2Fb", key));
  EXPECT_TRUE(IsOutputUrl("HTTPS://h.test/o.mp4", key));
  const std::vector<std::string> bad = {
      "",
      "http://h.test/o.mp4",
      "https://user@h.test/o.mp4",
      "https://user:pw@h.test/o.mp4",
      "https:///o.mp4",
      "https:o.mp4",
      "//h.test/o.mp4",
      "ftp://h.test/o.mp4",
      "javascript:alert(1)",
      "https://h.test/o .mp4",
      "https://h.test/o\n.mp4",
      "https://h.test/?k=canary-key-0123456789",
      "https://h.test/" + std::string(kMaxUrlBytes, 'a'),
  };
  for (const std::string& url : bad) EXPECT_FALSE(IsOutputUrl(url, key)) << url.substr(0, 80);
}

TEST(UnixSecondsTest, TakesOddFormsAndNoAbsurdOnes) {
  const absl::Time time = absl::FromUnixSeconds(1790000000);
  EXPECT_EQ(ReadUnixSeconds("1790000000"), time);
  EXPECT_EQ(ReadUnixSeconds("1790000000.5"), time + absl::Milliseconds(500));
  EXPECT_EQ(ReadUnixSeconds("1.79e9"), time);
  for (const char* text : {"", "0", "-5", "nan", "inf", "1e300", "1790000000000", "yesterday",
                           "0x10000000000000000000000000000000000000000000000000"}) {
    EXPECT_EQ(ReadUnixSeconds(std::string_view(text)), absl::InfinitePast()) << text;
  }
}

TEST(HttpDateTest, TakesTheThreeForms) {
  const absl::Time time = absl::FromUnixSeconds(784111777);
  EXPECT_EQ(ReadHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), time);
  EXPECT_EQ(ReadHttpDate("Sunday, 06-Nov-94 08:49:37 GMT"), time);
  EXPECT_EQ(ReadHttpDate("Sun Nov  6 08:49:37 1994"), time);
  for (const char* text : {"", "tomorrow", "1994-11-06T08:49:37Z", "infinite-future",
                           "Sun, 06 Nov 99999 08:49:37 GMT"}) {
    EXPECT_EQ(ReadHttpDate(text), absl::InfinitePast()) << text;
  }
}

TEST(RetryAfterTest, IsNeverNegativeAndNeverAbsurd) {
  const absl::Time now = absl::FromUnixSeconds(784111777);
  const std::vector<std::pair<std::string, absl::Duration>> cases = {
      {"", absl::ZeroDuration()},
      {"0", absl::ZeroDuration()},
      {"7", absl::Seconds(7)},
      {" 7 ", absl::Seconds(7)},
      {"3600", absl::Hours(1)},
      {"999999", absl::Hours(1)},
      {"9223372036854775807", absl::Hours(1)},
      {"99999999999999999999999999", absl::Hours(1)},
      {"-7", absl::ZeroDuration()},
      {"1.5", absl::ZeroDuration()},
      {"soon", absl::ZeroDuration()},
      {"Sun, 06 Nov 1994 08:49:47 GMT", absl::Seconds(10)},
      {"Sun, 06 Nov 1994 08:49:27 GMT", absl::ZeroDuration()},
      {"Sun, 06 Nov 2094 08:49:27 GMT", absl::Hours(1)},
  };
  for (const auto& [text, wait] : cases) EXPECT_EQ(ReadRetryAfter(text, now), wait) << text;
}

TEST(UpstreamErrorTest, FollowsTheCodes) {
  const auto error = [](const char* code, const char* message) {
    return MakeUpstreamError({code, message}, ErrorReason::kUpstreamFailed, true, Secret());
  };
  EXPECT_EQ(error("content_moderated", "x").reason, ErrorReason::kContentModerated);
  EXPECT_EQ(error("", "Generation output was flagged by our content moderation system.").reason,
            ErrorReason::kContentModerated);
  EXPECT_FALSE(error("content_moderated", "x").may_succeed_if_submitted_again);
  for (const char* code : {"generation_failed", "output_not_found", "rate_limited",
                           "budget_exhausted", "500", "429", "", "new_code"}) {
    EXPECT_TRUE(error(code, "x").may_succeed_if_submitted_again) << code;
    EXPECT_EQ(error(code, "x").reason, ErrorReason::kUpstreamFailed) << code;
  }
  for (const char* code : {"image_too_large", "unsupported_format", "corrupt_input",
                           "invalid_request", "INVALID_INPUT", "400", "422"}) {
    EXPECT_FALSE(error(code, "x").may_succeed_if_submitted_again) << code;
  }
}

}  // namespace
}  // namespace lumaedit
