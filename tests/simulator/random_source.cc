#include "random_source.h"

#include <cmath>
#include <numbers>

namespace lumaedit::simulator {

double RandomSource::Unit() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

size_t RandomSource::Index(size_t count) {
  return static_cast<size_t>(engine_() % static_cast<uint64_t>(count));
}

double RandomSource::Normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Unit()));
  return radius * std::cos(2.0 * std::numbers::pi * Unit());
}

std::string RandomSource::Uuid() {
  static constexpr char kHex[] = "0123456789abcdef";
  uint64_t high = engine_();
  uint64_t low = engine_();
  high = (high & ~0xf000ull) | 0x4000ull;
  low = (low & ~(3ull << 62)) | (2ull << 62);
  std::string text;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) text.push_back('-');
    const uint64_t half = nibble < 16 ? high : low;
    text.push_back(kHex[(half >> (60 - 4 * (nibble % 16))) & 0xf]);
  }
  return text;
}

}  // namespace lumaedit::simulator
