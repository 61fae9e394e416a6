#include "server/upstream/record_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace lumaedit {
namespace {

constexpr char kId[] = "0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10";
constexpr char kVideo[] = "https://storage.example.test/out/0b6f/output.mp4";
constexpr char kThumb[] = "https://storage.example.test/out/0b6f/thumb.jpg";

// A full record with the given status and outcome, keys in the order seen in production.
std::string Body(const std::string& status, const std::string& outcome) {
  return std::string(R"({"request_id":")") + kId +
         R"(","org_id":"5a0c2f9e-11aa-4b5e-8c55-90d1d2a6b001","user_id":"7c1d","model":"luma-ray-3-2-edit","status":)" +
         status +
         R"(,"is_public":false,"payload":{"prompt":"https://evil.test/a.mp4","source_generation_id":"9f4b","resolution":"720p","video_url":"https://evil.test/b.mp4","status":"success"},"outcome":)" +
         outcome + R"(,"created_at":1790000000,"updated_at":1790000131,"queued_at":1790000000})";
}

// Reads the body in one piece and byte by byte, and checks that both tell the same.
UpstreamRecord Read(const std::string& body, bool want_echo = false) {
  RecordReader whole{Secret(), want_echo};
  EXPECT_TRUE(whole.Write(body).ok()) << body;
  EXPECT_TRUE(whole.Finish().ok()) << body;
  RecordReader pieces{Secret(), want_echo};
  for (const char byte : body) EXPECT_TRUE(pieces.Write(std::string_view(&byte, 1)).ok());
  EXPECT_TRUE(pieces.Finish().ok());
  const UpstreamRecord a = whole.Record();
  const UpstreamRecord b = pieces.Record();
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.status_word, b.status_word);
  EXPECT_EQ(a.outcome, b.outcome);
  EXPECT_EQ(a.error, b.error);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.echo, b.echo);
  return a;
}

bool IsReadable(const std::string& body) {
  RecordReader reader{Secret()};
  return reader.Write(body).ok() && reader.Finish().ok();
}

TEST(RecordReaderTest, ReadsTheAnswerToAPost) {
  for (const char* word : {"processing", "dispatched", "queued"}) {
    const UpstreamRecord record = Read(
        std::string(R"({"request_id":")") + kId + R"(","model":"luma-ray-3-2-edit","status":")" +
        word + R"(","created_at":1790000000,"updated_at":1790000000,"queued_at":1790000000})");
    EXPECT_EQ(record.id, kId);
    EXPECT_EQ(record.status_word, word);
    EXPECT_EQ(record.created_at, absl::FromUnixSeconds(1790000000));
    EXPECT_FALSE(record.outcome.has_value());
    EXPECT_TRUE(record.echo_is_empty);
  }
}

TEST(RecordReaderTest, ReadsARunningRecord) {
  const UpstreamRecord record = Read(Body("\"queued\"", "null"));
  EXPECT_EQ(record.status, UpstreamStatus::kQueued);
  EXPECT_EQ(record.org_id, "5a0c2f9e-11aa-4b5e-8c55-90d1d2a6b001");
  EXPECT_EQ(record.model, "luma-ray-3-2-edit");
  EXPECT_EQ(record.updated_at, absl::FromUnixSeconds(1790000131));
  EXPECT_FALSE(record.outcome.has_value());
  EXPECT_FALSE(record.error.has_value());
}

struct SuccessCase {
  const char* what;
  std::string outcome;
  std::string video;  // empty: no outcome
  std::string thumbnail;
  std::string generation_id;
  std::vector<std::string> others;
};

TEST(RecordReaderTest, ReadsEverySuccess) {
  const std::string v = kVideo;
  const std::string t = kThumb;
  const std::string q = "\"";
  const std::vector<SuccessCase> cases = {
      {"documented",
       R"({"video_url":")" + v + R"(","generation_id":"c2d0","thumbnail_image_url":")" + t +
           R"("})",
       v,
       t,
       "c2d0",
       {}},
      {"newer",
       R"({"media_urls":[{"id":"0","url":")" + v + R"("}],"thumbnail_image_url":")" + t + R"("})",
       v,
       t,
       "",
       {}},
      {"strings", R"({"media_urls":[")" + v + R"("]})", v, "", "", {}},
      {"both: media_urls first",
       R"({"video_url":"https://h.test/old.mp4","media_urls":[{"url":")" + v + R"("}]})",
       v,
       "",
       "",
       {"https://h.test/old.mp4"}},
      {"thumbnail equal to video",
       R"({"thumbnail_image_url":")" + v + R"(","video_url":")" + v + R"("})",
       v,
       v,
       "",
       {}},
      {"a second entry",
       R"({"media_urls":[{"url":")" + v + R"("},{"url":"https://h.test/a.exr"}]})",
       v,
       "",
       "",
       {"https://h.test/a.exr"}},
      {"unknown keys with URLs",
       R"({"video_url":")" + v +
           R"(","exr_url":"https://h.test/e.exr","more":[{"deep":["https://h.test/d.exr","http://h.test/no"]}],"n":5})",
       v,
       "",
       "",
       {"https://h.test/e.exr", "https://h.test/d.exr"}},
      {"nested status", R"({"status":"failed","video_url":")" + v + R"("})", v, "", "", {}},
      {"empty media_urls", R"({"media_urls":[],"video_url":")" + v + R"("})", v, "", "", {}},
      {"null media_urls", R"({"media_urls":null,"video_url":")" + v + R"("})", v, "", "", {}},
      {"first entry without url",
       R"({"media_urls":[{"id":"0"}],"video_url":")" + v + R"("})",
       v,
       "",
       "",
       {}},
      {"first entry empty", R"({"media_urls":[""],"video_url":")" + v + R"("})", v, "", "", {}},
      {"first entry plain http",
       R"({"media_urls":["http://h.test/x.mp4"],"video_url":")" + v + R"("})",
       v,
       "",
       "",
       {}},
      {"odd thumbnail",
       R"({"video_url":")" + v + R"(","thumbnail_image_url":7,"generation_id":null})",
       v,
       "",
       "",
       {}},
      {"odd generation id",
       R"({"video_url":")" + v + R"(","generation_id":"a b\n"})",
       v,
       "",
       "",
       {}},
      {"null", "null", "", "", "", {}},
      {"empty", "{}", "", "", "", {}},
      {"empty list", R"({"media_urls":[]})", "", "", "", {}},
      {"entries without url", R"({"media_urls":[{"id":"0"},{"id":"1"}]})", "", "", "", {}},
      {"only the second entry",
       R"({"media_urls":[{"id":"0"},{"url":")" + v + R"("}]})",
       "",
       "",
       "",
       {}},
      {"only a thumbnail", R"({"thumbnail_image_url":")" + t + R"("})", "", "", "", {}},
      {"plain http", R"({"video_url":"http://h.test/o.mp4"})", "", "", "", {}},
      {"user information", R"({"video_url":"https://u:p@h.test/o.mp4"})", "", "", "", {}},
      {"a number", R"({"video_url":7})", "", "", "", {}},
      {"an object", R"({"video_url":{"url":")" + v + R"("}})", "", "", "", {}},
      {"text", q + v + q, "", "", "", {}},
      {"an array", "[" + q + v + q + "]", "", "", "", {}},
      {"nested arrays", R"({"media_urls":[[")" + v + R"("]]})", "", "", "", {}},
  };
  for (const SuccessCase& c : cases) {
    const UpstreamRecord record = Read(Body("\"success\"", c.outcome));
    EXPECT_EQ(record.status, UpstreamStatus::kSuccess) << c.what;
    ASSERT_EQ(record.outcome.has_value(), !c.video.empty()) << c.what;
    if (!record.outcome) continue;
    EXPECT_EQ(record.outcome->video_url, c.video) << c.what;
    EXPECT_EQ(record.outcome->thumbnail_url, c.thumbnail) << c.what;
    EXPECT_EQ(record.outcome->generation_id, c.generation_id) << c.what;
    EXPECT_EQ(record.outcome->other_urls, c.others) << c.what;
  }
}

struct FailureCase {
  std::string body;
  std::string code;
  std::string message;
  ErrorReason reason = ErrorReason::kUpstreamFailed;
};

TEST(RecordReaderTest, FindsTheReasonOfAFailure) {
  const std::string rejected =
      "Generation rejected; please review the prompt and parameters then retry";
  const std::vector<FailureCase> cases = {
      {R"({"status":"failed","outcome":{"error":"Failed to download media"}})", "",
       "Failed to download media"},
      {R"({"status":"failed","outcome":{"error":{"code":400,"message":")" + rejected +
           R"(","status":"INVALID_INPUT"}}})",
       "400", rejected},
      {R"({"status":"failed","outcome":{"error":{"message":"m","status":"INVALID_INPUT"}}})",
       "INVALID_INPUT", "m"},
      {R"({"status":"failed","outcome":{"error":{"code":"content_moderated","message":"Generation output was flagged by our content moderation system."},"generation_id":"c2d0"}})",
       "content_moderated", "Generation output was flagged by our content moderation system.",
       ErrorReason::kContentModerated},
      {R"({"status":"failed","outcome":{"error":"flagged","failure_code":"content_moderated"}})",
       "content_moderated", "flagged", ErrorReason::kContentModerated},
      {R"({"status":"failed","outcome":null})", "", ""},
      {R"({"status":"failed","outcome":{}})", "", ""},
      {R"({"status":"failed"})", "", ""},
      {R"({"status":"failed","outcome":{"error":""},"error":"top"})", "", "top"},
      {R"({"status":"failed","outcome":{"error":null},"error":{"code":"c","message":"top"}})", "c",
       "top"},
      {R"({"status":"failed","error":"top","outcome":{"error":"inner"}})", "", "inner"},
      {R"({"status":"failed","reason":"why"})", "", "why"},
      {R"({"status":"failed","reason":"why","error":"top"})", "", "top"},
      {R"({"status":"failed","reason":"why","outcome":{"message":"later"}})", "", "why"},
      {R"({"status":"failed","outcome":{"message":"m","failure_reason":"r"}})", "", "m"},
      {R"({"status":"failed","outcome":{"failure_reason":"r","failure_code":"generation_failed"}})",
       "generation_failed", "r"},
      {R"({"status":"failed","outcome":{"failure_code":"corrupt_input"}})", "corrupt_input", ""},
      {R"({"status":"failed","outcome":{"error":["odd"]},"reason":"why"})", "", "why"},
  };
  for (const FailureCase& c : cases) {
    const UpstreamRecord record = Read(c.body);
    EXPECT_EQ(record.status, UpstreamStatus::kFailed);
    ASSERT_TRUE(record.error.has_value()) << c.body;
    EXPECT_EQ(record.error->upstream_code, c.code) << c.body;
    EXPECT_EQ(record.error->upstream_message, c.message) << c.body;
    EXPECT_EQ(record.error->reason, c.reason) << c.body;
    EXPECT_FALSE(record.error->message.empty());
    EXPECT_FALSE(record.outcome.has_value());
  }
}

TEST(RecordReaderTest, OddStatusesAreNeverFinal) {
  for (const char* status : {"\"throttled\"", "\"completed\"", "\"\"", "null", "7", "true", "{}",
                             "[\"success\"]", "{\"status\":\"success\"}"}) {
    const UpstreamRecord record = Read(Body(status, "{\"video_url\":\"https://h.test/v.mp4\"}"));
    EXPECT_EQ(record.status, UpstreamStatus::kUnknown) << status;
    EXPECT_FALSE(record.outcome.has_value()) << status;
  }
  EXPECT_EQ(Read(Body("\"SUCCESS\"", "null")).status, UpstreamStatus::kSuccess);
  EXPECT_EQ(Read(Body("\"canceled\"", "null")).status, UpstreamStatus::kCancelled);
  EXPECT_EQ(Read(Body("\"cancelled\"", "null")).status_word, "cancelled");
  EXPECT_EQ(Read(Body("\"" + std::string(500, 'w') + "\"", "null")).status_word.size(), 64U);
}

TEST(RecordReaderTest, TakesOddTimes) {
  const auto created = [](const std::string& value) {
    return Read(R"({"status":"queued","created_at":)" + value + "}").created_at;
  };
  EXPECT_EQ(created("1790000000"), absl::FromUnixSeconds(1790000000));
  EXPECT_EQ(created("1790000000.0"), absl::FromUnixSeconds(1790000000));
  EXPECT_EQ(created("\"1790000000\""), absl::FromUnixSeconds(1790000000));
  for (const char* value : {"0", "null", "-1", "\"\"", "\"soon\"", "true", "{}", "[1790000000]",
                            "9223372036854775807", "1e300"}) {
    EXPECT_EQ(created(value), absl::InfinitePast()) << value;
  }
}

TEST(RecordReaderTest, TakesUnknownFieldsDeepAndOdd) {
  const std::string deep = std::string(25, '[') + "1" + std::string(25, ']');
  const UpstreamRecord record =
      Read(R"({"x":{"status":"success","y":[{"request_id":"no"}]},"qworker_id":"q","d":)" + deep +
           R"(,"request_id":"a","status":"processing"})");
  EXPECT_EQ(record.id, "a");
  EXPECT_EQ(record.status, UpstreamStatus::kProcessing);
}

TEST(RecordReaderTest, RefusesWhatIsNoRecord) {
  for (const char* body :
       {"", "{}", "[]", "null", "\"x\"", "7", "<html></html>", R"({"error":"x"})",
        R"({"status":"queued")", R"({"status":"queued"}x)",
        R"({"status":"queued","status":"success"})", R"([{"request_id":"a","status":"queued"}])"}) {
    EXPECT_FALSE(IsReadable(body)) << body;
  }
}

TEST(RecordReaderTest, AnIdThatIsNotFitIsNone) {
  EXPECT_EQ(Read(R"({"request_id":"a/../b","status":"queued"})").id, "");
  EXPECT_EQ(Read(R"({"request_id":7,"status":"queued"})").id, "");
}

TEST(RecordReaderTest, KnowsWhenTheRestIsWorthless) {
  RecordReader reader{Secret()};
  ASSERT_TRUE(reader.Write(R"({"request_id":"a",)").ok());
  EXPECT_FALSE(reader.rest_is_worthless());
  ASSERT_TRUE(reader.Write(R"("status":"processing","payload":{"source_data":")").ok());
  EXPECT_TRUE(reader.rest_is_worthless());
  EXPECT_EQ(reader.Record().status, UpstreamStatus::kProcessing);

  RecordReader final_one{Secret()};
  ASSERT_TRUE(final_one.Write(R"({"request_id":"a","status":"success","payload":{)").ok());
  EXPECT_FALSE(final_one.rest_is_worthless());
}

TEST(RecordReaderTest, TheKeyIsNotInWhatItTells) {
  const std::string key = "canary-key-0123456789";
  const std::string body = R"({"request_id":"a","status":"failed","model":")" + key +
                           R"(","org_id":")" + key + R"(","outcome":{"error":{"code":")" + key +
                           R"(","message":"bad )" + key + R"( here"}}})";
  RecordReader reader{Secret(key)};
  ASSERT_TRUE(reader.Write(body).ok());
  const UpstreamRecord record = reader.Record();
  EXPECT_EQ(record.error->upstream_message, "bad [key] here");
  EXPECT_EQ(record.error->upstream_code, "[key]");
  EXPECT_FALSE(absl::StrContains(record.model + record.org_id, key));
}

TEST(RecordReaderTest, LongTextsAreBounded) {
  const UpstreamRecord record = Read(R"({"request_id":"a","status":"failed","outcome":{"error":")" +
                                     std::string(100000, 'e') + "\"}}");
  EXPECT_EQ(record.error->upstream_message.size(), 500U);
}

}  // namespace
}  // namespace lumaedit
