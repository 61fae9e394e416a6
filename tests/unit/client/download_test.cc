// Where downloaded files go, and what of an earlier run is trusted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "client/cli/download/downloader.h"
#include "client/cli/download/part_file.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit::client::cli {
namespace {

namespace fs = std::filesystem;

TEST(NameBesideTest, TakesTheExtensionOfTheAddress) {
  EXPECT_EQ(NameBeside("out/rain.mp4", "https://h.test/a/x.exr?sig=a.mp4", {"out/rain.mp4"}),
            "out/rain.exr");
  EXPECT_EQ(NameBeside("rain", "https://h.test/a/x.TAR", {"rain"}), "rain.tar");
}

TEST(NameBesideTest, NothingOfTheAddressLeavesTheFolder) {
  for (const char* url : {"https://h.test/a.b/../c", "https://h.test/x.e%2Fr", "https://h.test/",
                          "https://h.test/x.", "https://h.test/x.averylongone"}) {
    EXPECT_EQ(NameBeside("out/rain.mp4", url, {}), "out/rain.bin") << url;
  }
}

TEST(NameBesideTest, NoNameIsGivenTwice) {
  EXPECT_EQ(NameBeside("rain.mp4", "https://h.test/x.mp4", {"rain.mp4"}), "rain-2.mp4");
  EXPECT_EQ(NameBeside("rain.mp4", "https://h.test/x.mp4", {"rain.mp4", "rain-2.mp4"}),
            "rain-3.mp4");
}

class PartFileTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_ / "a.mp4"; }
  static std::string Read(const std::string& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TempFolder folder_;
};

TEST_F(PartFileTest, IsGoneOnWithByTheNextRun) {
  {
    PartFile part(path());
    ASSERT_TRUE(part.Open().ok());
    ASSERT_TRUE(part.Begin("\"tag\"").ok());
    ASSERT_TRUE(part.Append("abc").ok());
  }
  PartFile part(path());
  ASSERT_TRUE(part.Open().ok());
  EXPECT_EQ(part.size(), 3);
  EXPECT_EQ(part.tag(), "\"tag\"");
  ASSERT_TRUE(part.Append("def").ok());
  ASSERT_TRUE(part.Finish().ok());
  EXPECT_EQ(Read(path()), "abcdef");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(PartFileTest, BytesOfAnUnknownFileGo) {
  std::ofstream(path() + ".part") << "of something else";
  PartFile part(path());
  ASSERT_TRUE(part.Open().ok());
  EXPECT_EQ(part.size(), 0);
}

TEST_F(PartFileTest, BelongsToOneProcessAtATime) {
  PartFile first(path());
  ASSERT_TRUE(first.Open().ok());
  PartFile second(path());
  EXPECT_TRUE(absl::IsAborted(second.Open()));
}

TEST_F(PartFileTest, AFolderIsNoFile) {
  PartFile part(folder_.path());
  EXPECT_TRUE(absl::IsUnavailable(part.Open()));
  EXPECT_FALSE(fs::exists(folder_.path() + ".part"));
}

}  // namespace
}  // namespace lumaedit::client::cli
