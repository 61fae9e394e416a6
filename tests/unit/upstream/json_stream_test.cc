#include "server/upstream/json_stream.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace lumaedit {
namespace {

class Recorder final : public JsonEvents {
 public:
  void BeginObject() override { text += "{"; }
  void EndObject() override { text += "}"; }
  void BeginArray() override { text += "["; }
  void EndArray() override { text += "]"; }
  void Key(std::string_view key) override { text += std::string(key) + "="; }
  void StringPart(std::string_view part) override { text += part; }
  void EndString() override { text += ";"; }
  void Number(double value) override { numbers.push_back(value); }
  void Bool(bool value) override { text += value ? "T" : "F"; }
  void Null() override { text += "0"; }

  std::string text;
  std::vector<double> numbers;
};

absl::Status Parse(std::string_view bytes, std::size_t step, Recorder& recorder) {
  JsonStream stream(recorder);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (absl::Status status = stream.Write(bytes.substr(at, step)); !status.ok()) return status;
  }
  return stream.Finish();
}

TEST(JsonStreamTest, TellsTheSameHoweverTheBytesAreCut) {
  const std::string bytes =
      R"( {"a":"x\u00e9\n\ud83d\ude00","b":[1,-2.5,1e3,true,false,null],"c":{"a":{}}} )";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    Recorder recorder;
    ASSERT_TRUE(Parse(bytes, step, recorder).ok()) << step;
    EXPECT_EQ(recorder.text, "{a=x\xC3\xA9\n\xF0\x9F\x98\x80;b=[TF0]c={a={}}}");
    EXPECT_EQ(recorder.numbers, (std::vector<double>{1, -2.5, 1000}));
  }
}

TEST(JsonStreamTest, RefusesWhatIsNotStrict) {
  const std::string deep = std::string(33, '[') + std::string(33, ']');
  const std::string many_digits = std::string(600, '1');
  std::string many_keys = "{";
  for (int i = 0; i < 5000; ++i) many_keys += "\"" + std::to_string(i) + "\":0,";
  many_keys += "\"end\":0}";
  const std::vector<std::string> bad = {
      "",
      "{",
      R"({"a":1)",
      R"({"a":1}x)",
      R"({"a":1}{"b":2})",
      R"({"a":1,"a":2})",
      R"({"x":{"a":1,"\u0061":2}})",
      "\xEF\xBB\xBF{}",
      "{\"a\":\"\xC3\x28\"}",
      "{\"a\":\"\xED\xA0\x80\"}",
      R"({"a":1e400})",
      R"({"a":-1e400})",
      R"({"a":NaN})",
      R"({"a":01})",
      R"({'a':1})",
      "{\"a\":1,}",
      "// x\n{}",
      "{\"a\":\"line\nbreak\"}",
      deep,
      many_digits,
      many_keys,
      "{\"" + std::string(5000, 'k') + "\":1}",
  };
  for (const std::string& bytes : bad) {
    for (std::size_t step : {std::size_t{1}, std::size_t{7}, bytes.size() + 1}) {
      Recorder recorder;
      EXPECT_FALSE(Parse(bytes, step, recorder).ok()) << bytes.substr(0, 60) << " by " << step;
    }
  }
}

TEST(JsonStreamTest, TakesTheDepthThatIsAllowed) {
  Recorder recorder;
  EXPECT_TRUE(Parse(std::string(32, '[') + std::string(32, ']'), 5, recorder).ok());
}

TEST(JsonStreamTest, ReadsNumbersExactly) {
  const std::vector<std::pair<std::string, double>> cases = {
      {"0.1", 0.1},
      {"0.30000000000000004", 0.30000000000000004},
      {"2.2250738585072014e-308", 2.2250738585072014e-308},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()},
      {"0.8414709848078965", 0.8414709848078965},
      {"1e-400", 0.0},
      {"9007199254740993", 9007199254740992.0},
      {"123456789012345678901234567890", 123456789012345678901234567890.0},
      {"-0", -0.0},
      {"5E-1", 0.5},
  };
  for (const auto& [text, value] : cases) {
    for (std::size_t step = 1; step <= text.size(); ++step) {
      Recorder recorder;
      ASSERT_TRUE(Parse("[" + text + "]", step, recorder).ok()) << text;
      EXPECT_EQ(recorder.numbers, std::vector<double>{value}) << text;
    }
  }
}

}  // namespace
}  // namespace lumaedit
