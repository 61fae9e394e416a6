#include "server/upstream/answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace lumaedit {
namespace {

constexpr char kAccepted[] = R"({"request_id":"0b6f-1","model":"m","status":"processing"})";
constexpr char kRealRateLimit[] =
    R"({"error":"Rate limit exceeded for model x: 2 requests per 60 seconds. Retry in 29970 ms.",)"
    R"("rate_limit":{"limit_type":"RPM","limit":2,"interval_seconds":60,"retry_after_ms":29970}})";

PostAnswer Answer(int status, std::string body) {
  PostAnswer answer;
  answer.http_status = status;
  answer.complete = true;
  answer.body = std::move(body);
  answer.now = absl::FromUnixSeconds(1790000000);
  return answer;
}

struct Row {
  int status = 0;
  std::string body;
  FactKind kind = FactKind::kUnclear;
  std::string id;  // upstream_id of the fact
};

// Every row of the table in protocol.md section 3, with its near misses.
TEST(AnswerTableTest, Rows) {
  const std::string long_id(128, 'a');
  const std::vector<Row> rows = {
      // 2xx with a request_id.
      {200, kAccepted, FactKind::kAccepted, "0b6f-1"},
      {201, kAccepted, FactKind::kAccepted, "0b6f-1"},
      {202, kAccepted, FactKind::kAccepted, "0b6f-1"},
      {299, R"({"request_id":"A_z-9"})", FactKind::kAccepted, "A_z-9"},
      {200, R"({"request_id":")" + long_id + "\"}", FactKind::kAccepted, long_id},
      {200, R"({"request_id":"a","status":null})", FactKind::kAccepted, "a"},
      {200, R"({"request_id":"a","status":"throttled"})", FactKind::kAccepted, "a"},
      {200, R"({"request_id":"a","status":"failed","outcome":null})", FactKind::kAccepted, "a"},
      {200, R"({"error":"odd","request_id":"a"})", FactKind::kAccepted, "a"},
      // 2xx that is no acceptance we can use.
      {200, "", FactKind::kUnclear, ""},
      {204, "", FactKind::kUnclear, ""},
      {200, "{}", FactKind::kUnclear, ""},
      {200, "ok", FactKind::kUnclear, ""},
      {200, "<html>ok</html>", FactKind::kUnclear, ""},
      {200, R"({"status":"processing"})", FactKind::kUnclear, ""},
      {200, R"({"request_id":""})", FactKind::kUnclear, ""},
      {200, R"({"request_id":null})", FactKind::kUnclear, ""},
      {200, R"({"request_id":7})", FactKind::kUnclear, ""},
      {200, R"({"request_id":"a b"})", FactKind::kUnclear, ""},
      {200, R"({"request_id":"../a"})", FactKind::kUnclear, ""},
      {200, R"({"request_id":")" + long_id + "a\"}", FactKind::kUnclear, ""},
      {200, R"({"request_id":"a")", FactKind::kUnclear, ""},
      {200, R"({"request_id":"a"} x)", FactKind::kUnclear, ""},
      {200, R"({"request_id":"a","request_id":"b"})", FactKind::kUnclear, ""},
      {200, R"([{"request_id":"a"}])", FactKind::kUnclear, ""},
      {200, R"({"data":{"request_id":"a"}})", FactKind::kUnclear, ""},
      {200, "\xEF\xBB\xBF{\"request_id\":\"a\"}", FactKind::kUnclear, ""},
      // The 429 that is known to create nothing.
      {429, kRealRateLimit, FactKind::kNotAccepted, ""},
      {429, R"({"rate_limit":{}})", FactKind::kNotAccepted, ""},
      {429, R"({"error":"Rate limit exceeded"})", FactKind::kNotAccepted, ""},
      {429, R"({"detail":"Rate limit exceeded"})", FactKind::kNotAccepted, ""},
      {429, R"({"error":{"message":"Rate limit exceeded for x"}})", FactKind::kNotAccepted, ""},
      {429, R"({"error":"Rate limit exceeded","request_id":null})", FactKind::kNotAccepted, ""},
      // Every other 429.
      {429, R"({"error":"Rate limit exceeded","request_id":"r1"})", FactKind::kRefusedInWords,
       "r1"},
      {429, R"({"rate_limit":{},"request_id":"r1"})", FactKind::kRefusedInWords, "r1"},
      {429, R"({"rate_limit":{},"request_id":7})", FactKind::kRefusedInWords, ""},
      {429, R"({"rate_limit":{},"request_id":"a b"})", FactKind::kRefusedInWords, ""},
      {429, R"({"error":"Too many concurrent jobs"})", FactKind::kRefusedInWords, ""},
      {429, R"({"error":"rate limit exceeded"})", FactKind::kRefusedInWords, ""},
      {429, R"({"rate_limit":null})", FactKind::kRefusedInWords, ""},
      {429, R"({"rate_limit":"yes"})", FactKind::kRefusedInWords, ""},
      {429, R"({"rate_limit":{}} x)", FactKind::kRefusedInWords, ""},
      {429, R"({"rate_limit":{},"rate_limit":{}})", FactKind::kRefusedInWords, ""},
      {429, "Rate limit exceeded", FactKind::kRefusedInWords, ""},
      {429, "<html>Rate limit exceeded</html>", FactKind::kRefusedInWords, ""},
      {429, R"(["Rate limit exceeded"])", FactKind::kRefusedInWords, ""},
      {429, "", FactKind::kRefusedInWords, ""},
      {429, "{}", FactKind::kRefusedInWords, ""},
      // Capacity.
      {503,
       R"({"error":"Upstream capacity temporarily exhausted; please retry later","request_id":"c1"})",
       FactKind::kRefusedInWords, "c1"},
      {503, R"({"error":"Upstream capacity temporarily exhausted; please retry later"})",
       FactKind::kRefusedInWords, ""},
      {503, R"({"message":"no Capacity"})", FactKind::kRefusedInWords, ""},
      {503, R"({"error":"capacity","request_id":"bad id"})", FactKind::kRefusedInWords, ""},
      {503, R"({"error":"try later"})", FactKind::kUnclear, ""},
      {503, "capacity exhausted", FactKind::kUnclear, ""},
      {503, "<html>capacity</html>", FactKind::kUnclear, ""},
      {503, "", FactKind::kUnclear, ""},
      {500, R"({"error":"capacity"})", FactKind::kUnclear, ""},
      {502, R"({"error":"capacity"})", FactKind::kUnclear, ""},
      // Backend errors.
      {500, R"({"error":"Backend error (429). Please try again."})", FactKind::kRefusedInWords, ""},
      {500, R"({"error":"Backend error (400). Please try again."})", FactKind::kEditRefused, ""},
      {500, R"_({"error":"Backend error (403)"})_", FactKind::kEditRefused, ""},
      {500, R"_({"error":"Backend error (422)"})_", FactKind::kEditRefused, ""},
      {500, R"_({"error":"Backend error (499)"})_", FactKind::kEditRefused, ""},
      {500, R"({"error":"Backend error (500). Please try again."})", FactKind::kUnclear, ""},
      {500, R"_({"error":"Backend error (399)"})_", FactKind::kUnclear, ""},
      {500, R"_({"error":"Backend error (4000)"})_", FactKind::kUnclear, ""},
      {500, R"_({"error":"Backend error (40)"})_", FactKind::kUnclear, ""},
      {500, R"_({"error":"Backend error ( 40)"})_", FactKind::kUnclear, ""},
      {500, R"({"error":"Backend error 400"})", FactKind::kUnclear, ""},
      {500, R"_({"error":"Backend error (400) after Backend error (502)"})_", FactKind::kUnclear,
       ""},
      {500, R"_({"error":"Backend error (4)"})_", FactKind::kUnclear, ""},
      {500, R"({"error":"Backend error ("})", FactKind::kUnclear, ""},
      {500, "Backend error (400)", FactKind::kUnclear, ""},
      {502, R"_({"error":"Backend error (400)"})_", FactKind::kUnclear, ""},
      {500, R"({"error":"internal"})", FactKind::kUnclear, ""},
      {500, "", FactKind::kUnclear, ""},
      {504, "<html>timeout</html>", FactKind::kUnclear, ""},
      {599, "", FactKind::kUnclear, ""},
      // This edit refused.
      {400, R"({"error":"Generation rejected; please review the prompt","request_id":"x1"})",
       FactKind::kEditRefused, ""},
      {400, "", FactKind::kEditRefused, ""},
      {400, "<html>", FactKind::kEditRefused, ""},
      {413, "", FactKind::kEditRefused, ""},
      {422, R"_({"detail":"source: failed to fetch URL (HTTP 404)"})_", FactKind::kEditRefused, ""},
      // Perhaps everybody is refused.
      {401, R"({"error":"Invalid API key"})", FactKind::kEveryoneRefused, ""},
      {402, "", FactKind::kEveryoneRefused, ""},
      {403, "{}", FactKind::kEveryoneRefused, ""},
      {404, R"({"error":"model x does not exist"})", FactKind::kEveryoneRefused, ""},
      {405, "", FactKind::kEveryoneRefused, ""},
      {301, "", FactKind::kEveryoneRefused, ""},
      {302, kAccepted, FactKind::kEveryoneRefused, ""},
      {304, "", FactKind::kEveryoneRefused, ""},
      {307, "", FactKind::kEveryoneRefused, ""},
      {308, "", FactKind::kEveryoneRefused, ""},
      // Everything else.
      {406, "", FactKind::kUnclear, ""},
      {408, "", FactKind::kUnclear, ""},
      {409, R"({"error":"conflict"})", FactKind::kUnclear, ""},
      {415, "", FactKind::kUnclear, ""},
      {418, "", FactKind::kUnclear, ""},
      {423, "", FactKind::kUnclear, ""},
      {431, "", FactKind::kUnclear, ""},
      {600, kAccepted, FactKind::kUnclear, ""},
      {999, "", FactKind::kUnclear, ""},
  };
  for (const Row& row : rows) {
    const Fact fact = MeaningOfPostAnswer(Answer(row.status, row.body));
    EXPECT_EQ(fact.kind, row.kind) << row.status << " " << row.body;
    EXPECT_EQ(fact.upstream_id, row.id) << row.status << " " << row.body;
    EXPECT_EQ(fact.http_status, row.status);
    const bool is_refusal =
        row.kind == FactKind::kEditRefused || row.kind == FactKind::kEveryoneRefused;
    const bool is_failed_record = absl::StrContains(row.body, "\"failed\"");
    EXPECT_EQ(fact.error.has_value(), is_refusal || is_failed_record) << row.body;
    EXPECT_EQ(fact.retry_after > absl::ZeroDuration(), row.kind == FactKind::kNotAccepted);
  }
}

// What was cut off decides nothing, but for the rows that the status alone decides.
TEST(AnswerTableTest, IncompleteAnswers) {
  const std::vector<Row> rows = {
      {0, "", FactKind::kUnclear, ""},
      {200, kAccepted, FactKind::kUnclear, ""},
      {429, kRealRateLimit, FactKind::kRefusedInWords, ""},
      {500, R"_({"error":"Backend error (400)"})_", FactKind::kUnclear, ""},
      {503, R"({"error":"capacity"})", FactKind::kUnclear, ""},
      {400, "", FactKind::kEditRefused, ""},
      {413, "", FactKind::kEditRefused, ""},
      {401, "", FactKind::kEveryoneRefused, ""},
      {302, "", FactKind::kEveryoneRefused, ""},
  };
  for (const Row& row : rows) {
    PostAnswer answer = Answer(row.status, row.body);
    answer.complete = false;
    answer.break_note = "read: connection reset";
    EXPECT_EQ(MeaningOfPostAnswer(answer).kind, row.kind) << row.status;
  }
}

TEST(AnswerTableTest, CompressedAnswersAreNotRead) {
  PostAnswer answer = Answer(200, kAccepted);
  answer.content_encoding = "gzip";
  EXPECT_EQ(MeaningOfPostAnswer(answer).kind, FactKind::kUnclear);
  answer.content_encoding = "Identity";
  EXPECT_EQ(MeaningOfPostAnswer(answer).kind, FactKind::kAccepted);
  answer = Answer(429, kRealRateLimit);
  answer.content_encoding = "br";
  EXPECT_EQ(MeaningOfPostAnswer(answer).kind, FactKind::kRefusedInWords);
  EXPECT_FALSE(RateLimitOf(answer).has_value());
}

struct Wait {
  std::string body_ms;  // of retry_after_ms; empty: no key
  std::string header;
  absl::Duration wait;
};

TEST(RateLimitTest, TheLargerWaitClamped) {
  const std::vector<Wait> waits = {
      {"29970", "", absl::Milliseconds(29970)},
      {"29970", "10", absl::Milliseconds(29970)},
      {"29970", "40", absl::Seconds(40)},
      {"", "40", absl::Seconds(40)},
      {"\"5000\"", "", absl::Seconds(5)},
      {"1", "", absl::Milliseconds(100)},
      {"0", "", absl::Seconds(10)},
      {"", "", absl::Seconds(10)},
      {"-5000", "", absl::Seconds(10)},
      {"-5000", "3", absl::Seconds(3)},
      {"null", "0", absl::Seconds(10)},
      {"{}", "", absl::Seconds(10)},
      {"9223372036854775807", "", absl::Seconds(120)},
      {"18446744073709551615", "", absl::Seconds(120)},
      {"1e300", "", absl::Seconds(120)},
      {"-1e300", "", absl::Seconds(10)},
      {"5000", "99999999999999999999", absl::Seconds(120)},
      {"5000", "-3", absl::Seconds(5)},
      // now is Mon, 21 Sep 2026 14:13:20 GMT
      {"", "Mon, 21 Sep 2026 14:13:50 GMT", absl::Seconds(30)},
      {"5000", "Mon, 21 Sep 2026 14:13:10 GMT", absl::Seconds(5)},
      {"5000", "Mon, 21 Sep 2099 14:13:10 GMT", absl::Seconds(120)},
  };
  for (const Wait& wait : waits) {
    const std::string limit = wait.body_ms.empty() ? "" : "\"retry_after_ms\":" + wait.body_ms;
    PostAnswer answer = Answer(429, "{\"rate_limit\":{" + limit + "}}");
    answer.retry_after = wait.header;
    const Fact fact = MeaningOfPostAnswer(answer);
    EXPECT_EQ(fact.kind, FactKind::kNotAccepted);
    EXPECT_EQ(fact.retry_after, wait.wait) << wait.body_ms << " / " << wait.header;
  }
}

TEST(RateLimitTest, LearnsThePace) {
  EXPECT_EQ(RateLimitOf(Answer(429, kRealRateLimit)),
            (RateLimit{.limit = 2, .interval = absl::Seconds(60)}));
  EXPECT_FALSE(RateLimitOf(Answer(200, kRealRateLimit)).has_value());
  for (const char* limit :
       {R"({})", R"({"limit":0,"interval_seconds":60})", R"({"limit":-1,"interval_seconds":60})",
        R"({"limit":2})", R"({"limit":2,"interval_seconds":0})",
        R"({"limit":1e30,"interval_seconds":60})", R"({"limit":2,"interval_seconds":1e30})"}) {
    const std::string body = std::string("{\"rate_limit\":") + limit + "}";
    EXPECT_FALSE(RateLimitOf(Answer(429, body)).has_value()) << body;
  }
}

TEST(AcceptedTest, TellsTheStatusAndWhatIsFinal) {
  EXPECT_EQ(MeaningOfPostAnswer(Answer(200, kAccepted)).upstream_status, "processing");

  const Fact success = MeaningOfPostAnswer(Answer(
      200,
      R"({"request_id":"a","status":"success","outcome":{"video_url":"https://h.test/v.mp4"}})"));
  ASSERT_TRUE(success.outcome.has_value());
  EXPECT_EQ(success.outcome->video_url, "https://h.test/v.mp4");

  const Fact no_url =
      MeaningOfPostAnswer(Answer(200, R"({"request_id":"a","status":"success","outcome":{}})"));
  EXPECT_EQ(no_url.kind, FactKind::kAccepted);
  EXPECT_EQ(no_url.upstream_status, "success");
  EXPECT_FALSE(no_url.outcome.has_value());

  const Fact failed = MeaningOfPostAnswer(Answer(
      200,
      R"({"request_id":"a","status":"failed","outcome":{"error":{"code":"content_moderated"}}})"));
  ASSERT_TRUE(failed.error.has_value());
  EXPECT_EQ(failed.error->reason, ErrorReason::kContentModerated);
}

TEST(RefusedTest, TellsWhyWithoutTheKey) {
  const Fact moderated = MeaningOfPostAnswer(
      Answer(400, R"({"error":{"code":"content_moderated","message":"flagged"}})"));
  EXPECT_EQ(moderated.error->reason, ErrorReason::kContentModerated);
  EXPECT_FALSE(moderated.error->may_succeed_if_submitted_again);

  const Fact refused = MeaningOfPostAnswer(Answer(422, R"({"detail":"bad base64"})"));
  EXPECT_EQ(refused.error->reason, ErrorReason::kUpstreamRefused);
  EXPECT_EQ(refused.error->upstream_message, "bad base64");
  EXPECT_FALSE(refused.error->may_succeed_if_submitted_again);

  EXPECT_EQ(MeaningOfPostAnswer(Answer(403, "{}")).error->reason,
            ErrorReason::kUpstreamNotEntitled);

  PostAnswer echo = Answer(401, R"({"error":"key canary-key-0123456789\u0000\n is unknown"})");
  echo.key = Secret("canary-key-0123456789");
  const Fact fact = MeaningOfPostAnswer(echo);
  EXPECT_EQ(fact.note, "key [key]   is unknown");
  EXPECT_EQ(fact.error->upstream_message, "key [key]   is unknown");

  const Fact html = MeaningOfPostAnswer(Answer(502, "<html>secret page</html>"));
  EXPECT_FALSE(absl::StrContains(html.note, "page"));
}

}  // namespace
}  // namespace lumaedit
