// The probe against the corpus of tests/media: every file comes to what its maker says.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "server/job/error.h"
#include "server/media/av_media_probe.h"
#include "tests/fakes/bytes_reader.h"

namespace lumaedit {
namespace {

struct Expected {
  std::string file;
  std::string result;
  std::int64_t duration_us = 0;
  std::int64_t tolerance_us = 0;
  std::string container;
  std::string codec;
};

std::vector<Expected> ReadExpected() {
  std::ifstream file(LUMAEDIT_CORPUS_DIR "/expected.tsv");
  std::vector<Expected> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Expected row;
    words >> row.file >> row.result >> row.duration_us >> row.tolerance_us >> row.container >>
        row.codec;
    rows.push_back(row);
  }
  return rows;
}

std::string ReadFile(const std::string& name) {
  std::ifstream file(LUMAEDIT_CORPUS_DIR "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Corpus, EveryFileComesToWhatItsMakerSays) {
  const std::vector<Expected> rows = ReadExpected();
  ASSERT_GE(rows.size(), 45u);
  SystemClock clock;
  const auto probe = MakeAvMediaProbe(clock);
  for (const Expected& row : rows) {
    SCOPED_TRACE(row.file);
    BytesReader bytes(ReadFile(row.file));
    const auto media = ProbeSource(*probe, bytes, absl::Seconds(30));
    if (row.result != "OK") {
      ASSERT_FALSE(media.ok()) << media->duration << " " << media->codec;
      EXPECT_TRUE(absl::IsInvalidArgument(media.status())) << media.status();
      EXPECT_EQ(ErrorReasonName(DetailOf(media.status()).reason), row.result) << media.status();
      continue;
    }
    ASSERT_TRUE(media.ok()) << media.status();
    EXPECT_NEAR(absl::ToInt64Microseconds(media->duration), row.duration_us, row.tolerance_us);
    EXPECT_EQ(media->container, row.container);
    EXPECT_EQ(media->codec, row.codec);
    EXPECT_EQ(media->width, 64);
    EXPECT_EQ(media->height, 64);
  }
}

TEST(Corpus, TellsHowLongAFrameIs) {
  SystemClock clock;
  const auto probe = MakeAvMediaProbe(clock);
  BytesReader even(ReadFile("b-frames.mp4"));
  EXPECT_EQ(probe->Probe(even)->frame_duration, absl::Microseconds(41'666));
  BytesReader single(ReadFile("single-frame.mp4"));
  EXPECT_EQ(probe->Probe(single)->frame_duration, absl::ZeroDuration());
}

}  // namespace
}  // namespace lumaedit
