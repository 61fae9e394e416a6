// Files that were made to break the probe, and a disk that breaks under it.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "server/job/error.h"
#include "server/media/av_media_probe.h"
#include "tests/fakes/bytes_reader.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"

namespace lumaedit {
namespace {

std::string ReadFile(const std::string& name) {
  std::ifstream file(LUMAEDIT_CORPUS_DIR "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ErrorReason ReasonOf(const absl::StatusOr<MediaInfo>& media) {
  return media.ok() ? ErrorReason::kUnspecified : DetailOf(media.status()).reason;
}

// A file that is read, and changes what `change` does with each piece.
class WatchedReader final : public SourceReader {
 public:
  using OnRead = std::function<absl::Status(std::int64_t offset)>;
  WatchedReader(std::string bytes, OnRead on_read)
      : bytes_(std::move(bytes)), on_read_(std::move(on_read)) {}
  std::int64_t size_bytes() const override { return bytes_.size_bytes(); }
  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t most) override {
    if (absl::Status status = on_read_(offset); !status.ok()) return status;
    read_ += most;
    return bytes_.Read(offset, most);
  }
  std::int64_t read() const { return read_; }

 private:
  BytesReader bytes_;
  const OnRead on_read_;
  std::int64_t read_ = 0;
};

TEST(HostileFile, AFailureOfTheDiskIsNotTheFilesFault) {
  SystemClock clock;
  const auto probe = MakeAvMediaProbe(clock);
  for (int good_reads : {0, 1, 2, 3}) {
    int reads = 0;
    WatchedReader bytes(ReadFile("moov-back.mp4"), [&](std::int64_t) {
      return ++reads > good_reads ? absl::UnavailableError("the disk is gone") : absl::OkStatus();
    });
    const auto media = probe->Probe(bytes);
    EXPECT_TRUE(absl::IsUnavailable(media.status())) << good_reads << ": " << media.status();
  }
}

TEST(HostileFile, TimeEndsTheProbe) {
  ManualClock clock(absl::UnixEpoch());
  const auto probe = MakeAvMediaProbe(clock, {.time = absl::Seconds(1)});
  WatchedReader bytes(ReadFile("moov-back.mp4"), [&](std::int64_t) {
    clock.Advance(absl::Seconds(2));
    return absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(probe->Probe(bytes)), ErrorReason::kNotAVideo);
}

TEST(HostileFile, BytesAndPacketsAreBounded) {
  SystemClock clock;
  MediaProbeLimits few_bytes;
  few_bytes.passes = 0;
  few_bytes.more_bytes = 64 << 10;
  WatchedReader bytes(ReadFile("moov-back.mp4"), [](std::int64_t) { return absl::OkStatus(); });
  EXPECT_EQ(ReasonOf(MakeAvMediaProbe(clock, few_bytes)->Probe(bytes)), ErrorReason::kNotAVideo);
  EXPECT_LE(bytes.read(), 256 << 10);

  MediaProbeLimits few_packets;
  few_packets.packets = 10;
  BytesReader again(ReadFile("moov-back.mp4"));
  EXPECT_EQ(ReasonOf(MakeAvMediaProbe(clock, few_packets)->Probe(again)), ErrorReason::kNotAVideo);
}

TEST(HostileFile, AHeaderThatAnnouncesBillionsOfFramesTakesNoMemory) {
  SystemClock clock;
  const auto probe = MakeAvMediaProbe(clock);
  std::string bytes = ReadFile("moov-front.mp4");
  const std::size_t table = bytes.find("stsz");
  ASSERT_NE(table, std::string::npos);
  // One size for all frames, and as many of them as 32 bits can say.
  bytes.replace(table + 8, 8, std::string("\0\0\0\1\xFF\xFF\xFF\xF0", 8));
  BytesReader reader(bytes);
  EXPECT_NE(ReasonOf(probe->Probe(reader)), ErrorReason::kUnspecified);
}

TEST(HostileFile, EveryDamageIsAnAnswer) {
  SystemClock clock;
  const auto probe = MakeAvMediaProbe(clock, {.time = absl::Seconds(2)});
  SeededRandom random(20261125);
  for (const char* name : {"single-frame.mp4", "fragmented.mp4", "even.webm", "edit-cut-end.mp4"}) {
    const std::string whole = ReadFile(name);
    ASSERT_FALSE(whole.empty());
    for (int round = 0; round < 60; ++round) {
      std::string damaged = whole;
      const int changes = 1 + static_cast<int>(random.Uniform() * 8);
      for (int i = 0; i < changes; ++i) {
        // Headers are what is worth damaging: half of it in the first and the last 2,000 bytes.
        std::size_t at = static_cast<std::size_t>(random.Uniform() * 2000) % damaged.size();
        if (i % 3 == 1) at = damaged.size() - 1 - at;
        if (i % 3 == 2) {
          at = static_cast<std::size_t>(random.Uniform() * static_cast<double>(damaged.size()));
        }
        damaged[at] = static_cast<char>(random.Uniform() * 256);
      }
      BytesReader reader(damaged);
      const auto media = probe->Probe(reader);
      if (media.ok()) {
        EXPECT_GT(media->duration, absl::ZeroDuration());
      } else {
        EXPECT_TRUE(absl::IsInvalidArgument(media.status())) << name << " " << media.status();
      }
    }
  }
}

}  // namespace
}  // namespace lumaedit
