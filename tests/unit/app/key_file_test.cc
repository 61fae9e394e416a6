#include "server/app/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit {
namespace {

class KeyFileTest : public ::testing::Test {
 protected:
  void SetUp() override { Write("first\n"); }

  // As an orchestrator does it: a new file takes the name.
  void Write(const std::string& bytes) const {
    std::ofstream(folder_ / "new", std::ios::binary) << bytes;
    std::filesystem::rename(folder_ / "new", path_);
  }

  TempFolder folder_;
  const std::string path_ = folder_ / "key";
  ManualClock clock_{absl::UnixEpoch()};
  RecordingLog log_;
};

TEST_F(KeyFileTest, ChangedFileIsReadAgainAfterAWhile) {
  KeyFile file(path_, Secret("first"), clock_, log_);
  Write("second\n");
  EXPECT_EQ(file.Current().Reveal(), "first") << "not looked at yet";
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(file.Current().Reveal(), "second");
}

TEST_F(KeyFileTest, UnusableFileLeavesTheLastGoodKey) {
  KeyFile file(path_, Secret("first"), clock_, log_);
  Write("two words");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(file.Current().Reveal(), "first");
  std::filesystem::remove(path_);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(file.Current().Reveal(), "first");
  Write("third");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(file.Current().Reveal(), "third");
}

TEST_F(KeyFileTest, WithoutAFileTheKeyStays) {
  KeyFile file("", Secret("variable"), clock_, log_);
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(file.Current().Reveal(), "variable");
}

TEST(CheckedKeyTest, TakesOneLineOfPrintableAscii) {
  EXPECT_EQ(CheckedKey("abc\r\n")->Reveal(), "abc");
  for (const char* wrong : {"", " \n", "a b", "a\nb", "\x01", "\xc3\xa9"}) {
    EXPECT_FALSE(CheckedKey(wrong).ok()) << wrong;
  }
  EXPECT_TRUE(CheckedKey(std::string(4096, 'k')).ok());
  EXPECT_FALSE(CheckedKey(std::string(4097, 'k')).ok());
}

}  // namespace
}  // namespace lumaedit
