#include "media_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace lumaedit::simulator {
namespace {

using std::string_literals::operator""s;

constexpr uint32_t kTimescale = 24000;
constexpr uint32_t kFrameTicks = 1000;
constexpr int kMacroblocks = 4;

// Big-endian, zeros in front.
std::string Be(uint64_t value, int bytes) {
  std::string out(static_cast<size_t>(std::max(0, bytes - 8)), '\0');
  for (int i = std::min(bytes, 8) - 1; i >= 0; --i) {
    out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  }
  return out;
}

std::string Box(std::string_view type, const std::string& content) {
  return Be(content.size() + 8, 4) + std::string(type) + content;
}

// ITU-T H.264 section 7.2 and 9.1: bits, and Exp-Golomb codes.
class BitWriter {
 public:
  void Bits(uint32_t value, int count) {
    for (int i = count - 1; i >= 0; --i) {
      if (used_ % 8 == 0) bytes_.push_back('\0');
      if ((value >> i) & 1u)
        bytes_.back() = static_cast<char>(bytes_.back() | (0x80 >> (used_ % 8)));
      ++used_;
    }
  }
  void Ue(uint32_t value) {
    int length = 0;
    while (((value + 1) >> (length + 1)) != 0) ++length;
    Bits(0, length);
    Bits(value + 1, length + 1);
  }
  void AlignZero() {
    while (used_ % 8 != 0) Bits(0, 1);
  }
  std::string Finish() {
    Bits(1, 1);
    AlignZero();
    return bytes_;
  }

 private:
  std::string bytes_;
  size_t used_ = 0;
};

std::string SequenceParameters() {
  BitWriter w;
  w.Bits(0x67, 8);
  w.Bits(66, 8);    // baseline profile
  w.Bits(0xc0, 8);  // constrained
  w.Bits(30, 8);    // level 3.0
  w.Ue(0);          // sequence id
  w.Ue(0);          // log2 of frame_num length, less 4
  w.Ue(2);          // picture order follows decoding order
  w.Ue(1);          // reference frames
  w.Bits(0, 1);     // no gaps in frame_num
  w.Ue(kMacroblocks - 1);
  w.Ue(kMacroblocks - 1);
  w.Bits(1, 1);  // frames only
  w.Bits(1, 1);  // direct 8x8 inference
  w.Bits(0, 1);  // no cropping
  w.Bits(0, 1);  // no display information
  return w.Finish();
}

std::string PictureParameters() {
  BitWriter w;
  w.Bits(0x68, 8);
  w.Ue(0);
  w.Ue(0);
  w.Bits(0, 1);  // CAVLC
  w.Bits(0, 1);
  w.Ue(0);  // one slice group
  w.Ue(0);
  w.Ue(0);
  w.Bits(0, 1);
  w.Bits(0, 2);
  w.Ue(0);
  w.Ue(0);
  w.Ue(0);
  w.Bits(0, 3);
  return w.Finish();
}

// One intra picture of raw (I_PCM) macroblocks: nothing to predict, nothing to get wrong. The
// sample values have no zero bytes, so that no emulation prevention is due.
std::string IntraPicture() {
  BitWriter w;
  w.Bits(0x65, 8);
  w.Ue(0);       // first macroblock
  w.Ue(7);       // I slice, all slices alike
  w.Ue(0);       // picture parameters
  w.Bits(0, 4);  // frame_num
  w.Ue(0);       // idr_pic_id
  w.Bits(0, 2);  // reference marking: nothing special
  w.Ue(0);       // quantiser as in the picture parameters
  for (int block = 0; block < kMacroblocks * kMacroblocks; ++block) {
    w.Ue(25);  // I_PCM
    w.AlignZero();
    for (int sample = 0; sample < 256; ++sample) {
      w.Bits(static_cast<uint32_t>(64 + 8 * block), 8);
    }
    for (int sample = 0; sample < 128; ++sample) w.Bits(128, 8);
  }
  return w.Finish();
}

// A predicted picture in which every macroblock is skipped: the one before, again.
std::string RepeatPicture(uint32_t frame_number) {
  BitWriter w;
  w.Bits(0x41, 8);
  w.Ue(0);
  w.Ue(5);  // P slice, all slices alike
  w.Ue(0);
  w.Bits(frame_number % 16, 4);
  w.Bits(0, 1);  // no other number of references
  w.Bits(0, 1);  // no reordering
  w.Bits(0, 1);  // sliding window
  w.Ue(0);
  w.Ue(kMacroblocks * kMacroblocks);  // run of skipped macroblocks
  return w.Finish();
}

const std::string& Matrix() {
  static const std::string matrix =
      Be(0x10000, 4) + Be(0, 12) + Be(0x10000, 4) + Be(0, 12) + Be(0x40000000, 4);
  return matrix;
}

std::string SampleEntry() {
  const std::string sps = SequenceParameters();
  const std::string pps = PictureParameters();
  const std::string avcc = "\x01"s + sps.substr(1, 3) + "\xff\xe1"s + Be(sps.size(), 2) + sps +
                           "\x01"s + Be(pps.size(), 2) + pps;
  return Box("avc1", Be(0, 6) + Be(1, 2) + Be(0, 16) + Be(64, 2) + Be(64, 2) + Be(0x480000, 4) +
                         Be(0x480000, 4) + Be(0, 4) + Be(1, 2) + Be(0, 32) + Be(24, 2) +
                         Be(0xffff, 2) + Box("avcC", avcc));
}

std::string Movie(const std::string& sizes, uint32_t frames, uint32_t data_offset) {
  const uint32_t duration = frames * kFrameTicks;
  const std::string table = Box("stsd", Be(0, 4) + Be(1, 4) + SampleEntry()) +
                            Box("stts", Be(0, 4) + Be(1, 4) + Be(frames, 4) + Be(kFrameTicks, 4)) +
                            Box("stss", Be(0, 4) + Be(1, 4) + Be(1, 4)) +
                            Box("stsc", Be(0, 4) + Be(1, 4) + Be(1, 4) + Be(frames, 4) + Be(1, 4)) +
                            Box("stsz", Be(0, 4) + Be(0, 4) + Be(frames, 4) + sizes) +
                            Box("stco", Be(0, 4) + Be(1, 4) + Be(data_offset, 4));
  const std::string media =
      Box("mdhd", Be(0, 12) + Be(kTimescale, 4) + Be(duration, 4) + Be(0x55c4, 2) + Be(0, 2)) +
      Box("hdlr", Be(0, 8) + "vide" + Be(0, 12) + "video\0"s) +
      Box("minf", Box("vmhd", Be(1, 4) + Be(0, 8)) +
                      Box("dinf", Box("dref", Be(0, 4) + Be(1, 4) + Box("url ", Be(1, 4)))) +
                      Box("stbl", table));
  const std::string header =
      Box("mvhd", Be(0, 12) + Be(kTimescale, 4) + Be(duration, 4) + Be(0x10000, 4) + Be(0x100, 2) +
                      Be(0, 10) + Matrix() + Be(0, 24) + Be(2, 4));
  const std::string track =
      Box("tkhd", Be(7, 4) + Be(0, 8) + Be(1, 4) + Be(0, 4) + Be(duration, 4) + Be(0, 16) +
                      Matrix() + Be(64u << 16, 4) + Be(64u << 16, 4)) +
      Box("mdia", media);
  return Box("moov", header + Box("trak", track));
}

}  // namespace

std::string MakeMp4(double seconds) {
  const auto frames = static_cast<uint32_t>(std::max(1L, std::lround(seconds * 24.0)));
  std::string sizes;
  std::string data;
  for (uint32_t frame = 0; frame < frames; ++frame) {
    const std::string unit = frame == 0 ? IntraPicture() : RepeatPicture(frame);
    sizes += Be(unit.size() + 4, 4);
    data += Be(unit.size(), 4) + unit;
  }
  const std::string type = Box("ftyp", "isom"s + Be(0x200, 4) + "isomiso2avc1mp41");
  // The index has the same size whatever the offset in it.
  const size_t offset = type.size() + Movie(sizes, frames, 0).size() + 8;
  return type + Movie(sizes, frames, static_cast<uint32_t>(offset)) + Box("mdat", data);
}

std::string MakeJpeg() {
  const auto segment = [](char marker, const std::string& content) {
    return "\xff"s + marker + Be(content.size() + 2, 2) + content;
  };
  // One Huffman code each: category 0 for the mean, end of block for the rest.
  const std::string one_code = "\x01"s + Be(0, 15) + "\0"s;
  return "\xff\xd8"s + segment('\xdb', "\0"s + std::string(64, '\x01')) +
         segment('\xc0', "\x08\0\x08\0\x08\x01\x01\x11\0"s) + segment('\xc4', "\0"s + one_code) +
         segment('\xc4', "\x10"s + one_code) + segment('\xda', "\x01\x01\0\0\x3f\0"s) +
         "\x3f\xff\xd9"s;
}

}  // namespace lumaedit::simulator
