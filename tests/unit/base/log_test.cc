#include "server/base/log.h"

#include <gtest/gtest.h>

#include <string>

#include "server/base/secret.h"
#include "tests/fakes/recording_log.h"

namespace lumaedit {
namespace {

std::string Render(std::string_view value) {
  return RenderLogLine(absl::UnixEpoch(), LogLevel::kInfo, "word", {{"field", value}});
}

TEST(RenderLogLine, IsOneJsonObject) {
  EXPECT_EQ(RenderLogLine(absl::FromUnixMicros(1'500'000), LogLevel::kError, "job_held",
                          {{"job", "a"}, {"count", 3}, {"ratio", 0.5}, {"live", true}}),
            R"({"time":"1970-01-01T00:00:01.500000Z","level":"error","event":"job_held",)"
            R"("job":"a","count":3,"ratio":5E-1,"live":true})");
}

TEST(RenderLogLine, NoByteBreaksTheLine) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  for (const std::string& text : {all, std::string("\r\n\t\x1b[31m\x7f")}) {
    for (const char c : Render(text)) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20);
      EXPECT_NE(c, '\x7f');
    }
  }
}

TEST(RenderLogLine, EscapesWhatSomeReadersTakeForALineEnd) {
  EXPECT_NE(Render("a\xE2\x80\xA8"
                   "b")
                .find("a\\u2028b"),
            std::string::npos);
  EXPECT_NE(Render("a\xE2\x80\xA9"
                   "b")
                .find("a\\u2029b"),
            std::string::npos);
  EXPECT_NE(Render("a\xC2\x85"
                   "b")
                .find("a\\u0085b"),
            std::string::npos);  // NEL
  EXPECT_NE(Render("a\xC2\x9B"
                   "b")
                .find("a\\u009bb"),
            std::string::npos);  // CSI
}

TEST(RenderLogLine, KeepsOtherText) {
  EXPECT_NE(Render("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x8E\xAC")
                .find("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x8E\xAC"),
            std::string::npos);
}

TEST(RenderLogLine, ReplacesInvalidUtf8) {
  const std::string bad[] = {"\x80",         "\xC0\xAF",         "\xC3",     "\xE0\x80\xAF",
                             "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88", "\xE2\x80"};
  for (const std::string& bytes : bad) {
    const std::string line = Render("<" + bytes + ">");
    EXPECT_NE(line.find("<\xEF\xBF\xBD"), std::string::npos) << line;
    EXPECT_EQ(line.find(bytes + ">"), std::string::npos) << line;
  }
}

TEST(RenderLogLine, FieldsCannotForgeOthers) {
  const std::string line = Render("x\",\"level\":\"error");
  EXPECT_NE(line.find(R"("level":"info")"), std::string::npos);
  EXPECT_NE(line.find(R"(x\",\"level\":\"error)"), std::string::npos);
}

TEST(RecordingLog, KeepsLines) {
  RecordingLog log;
  log.Warning("first", {{"n", 1}});
  log.Debug("second");
  EXPECT_EQ(log.Count("first"), 1);
  EXPECT_EQ(log.lines().at(1).level, LogLevel::kDebug);
  EXPECT_TRUE(log.Contains(R"("n":1)"));
}

}  // namespace
}  // namespace lumaedit
