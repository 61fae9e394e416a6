#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/upstream/record_reader.h"

namespace lumaedit {
namespace {

struct Listed {
  bool ok = false;
  bool full = false;
  std::vector<UpstreamRecord> records;
  std::optional<bool> has_more;
};

Listed Read(const std::string& body, std::size_t step, int limit = 10) {
  ListReader reader{Secret(), true, limit};
  Listed listed;
  for (std::size_t at = 0; at < body.size(); at += step) {
    if (!reader.Write(std::string_view(body).substr(at, step)).ok()) return listed;
  }
  listed.ok = reader.Finish().ok();
  listed.full = reader.is_full();
  listed.records = reader.TakeRecords();
  listed.has_more = reader.has_more();
  return listed;
}

TEST(ListReaderTest, ReadsRecordsWhateverTheCut) {
  const std::string body =
      R"({"x":[{"request_id":"no"},[1]],"requests":[)"
      R"({"request_id":"a","status":"processing","payload":{},"outcome":null,"created_at":1790000000},)"
      R"({"request_id":"b","status":"success","outcome":{"media_urls":[{"url":"https://h.test/v.mp4"}]},"payload":{"prompt":"p"}}],)"
      R"("total":2,"has_more":true,"y":{"has_more":false,"requests":[]}})";
  for (std::size_t step = 1; step < body.size() + 1; ++step) {
    const Listed listed = Read(body, step);
    ASSERT_TRUE(listed.ok) << step;
    ASSERT_EQ(listed.records.size(), 2U);
    EXPECT_EQ(listed.records[0].id, "a");
    EXPECT_TRUE(listed.records[0].echo_is_empty);
    EXPECT_EQ(listed.records[0].created_at, absl::FromUnixSeconds(1790000000));
    EXPECT_EQ(listed.records[1].outcome->video_url, "https://h.test/v.mp4");
    EXPECT_EQ(listed.records[1].echo.prompt, "p");
    EXPECT_EQ(listed.has_more, true);
    EXPECT_FALSE(listed.full);
  }
}

TEST(ListReaderTest, ReadsEmptyLists) {
  EXPECT_TRUE(Read(R"({"requests":[],"total":0,"has_more":false})", 3).ok);
  EXPECT_EQ(Read(R"({"requests":[],"total":0,"has_more":false})", 3).has_more, false);
  EXPECT_EQ(Read(R"({"requests":[]})", 3).has_more, std::nullopt);
  EXPECT_EQ(Read(R"({"requests":[],"has_more":"no"})", 3).has_more, std::nullopt);
  EXPECT_TRUE(Read(R"({"requests":null,"total":0})", 3).ok);
}

TEST(ListReaderTest, RefusesWhatProvesNothing) {
  for (const char* body :
       {"", "[]", "{}", "null", R"({"requests":null})", R"({"requests":null,"total":3})",
        R"({"requests":{}})", R"({"requests":"x"})", R"({"requests":[7]})",
        R"({"requests":[null]})", R"({"requests":[[]]})", R"({"requests":["a"]})",
        R"({"requests":[{}]})", R"({"requests":[{"status":"queued"}]})",
        R"({"requests":[{"request_id":"a b"}]})", R"({"requests":[{"request_id":"a"})",
        R"([{"request_id":"a"}])", R"({"error":"x"})", R"([[{"requests":[]}]])"}) {
    EXPECT_FALSE(Read(body, 2).ok) << body;
    EXPECT_FALSE(Read(body, 1000).ok) << body;
  }
}

TEST(ListReaderTest, StopsAtTheLimit) {
  std::string body = R"({"requests":[)";
  for (int i = 0; i < 50; ++i) {
    if (i > 0) body += ",";
    body += R"({"request_id":"r)" + std::to_string(i) + R"(","status":"queued"})";
  }
  const Listed listed = Read(body, 10, 3);
  EXPECT_TRUE(listed.ok);
  EXPECT_TRUE(listed.full);
  ASSERT_EQ(listed.records.size(), 3U);
  EXPECT_EQ(listed.records[2].id, "r2");
}

}  // namespace
}  // namespace lumaedit
