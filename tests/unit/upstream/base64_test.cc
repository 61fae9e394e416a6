#include "server/upstream/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lumaedit {
namespace {

struct Decoded {
  bool ok = false;
  std::string bytes;
};

Decoded Decode(std::string_view text, std::size_t step) {
  Base64Decoder decoder;
  Decoded result;
  for (std::size_t at = 0; at < text.size(); at += step) {
    if (!decoder.Write(text.substr(at, step), result.bytes)) return {};
  }
  result.ok = decoder.Finish();
  return result;
}

TEST(Base64Test, ReadsBackWhatItWroteInPiecesOfAnySize) {
  std::string bytes;
  for (int size = 0; size < 70; ++size) {
    const std::string text = Base64Encode(bytes);
    EXPECT_EQ(static_cast<std::int64_t>(text.size()), Base64Size(size));
    for (std::size_t step = 1; step <= 9; ++step) {
      const Decoded decoded = Decode(text, step);
      EXPECT_TRUE(decoded.ok) << size << " by " << step;
      EXPECT_EQ(decoded.bytes, bytes);
    }
    bytes.push_back(static_cast<char>(size * 37));
  }
}

TEST(Base64Test, JoinedPiecesOfThreeBytesAreOneText) {
  EXPECT_EQ(Base64Encode("abcdef") + Base64Encode("gh"), Base64Encode("abcdefgh"));
}

TEST(Base64Test, RefusesWhatIsNoBase64) {
  for (const char* text : {"Q", "QQ", "QQ=", "QQ===", "Q===", "=QQQ", "QQ==QQ==", "QUJD=", "QU JD",
                           "QUJD\n", " QUJD", "data:video/mp4;base64,QUJD", "QUJ-", "QUJ_"}) {
    for (std::size_t step : {1, 3, 100}) EXPECT_FALSE(Decode(text, step).ok) << text;
  }
}

}  // namespace
}  // namespace lumaedit
