// Randomness that repeats: the same seed, the same run. One thread.
#pragma once

#include <cstdint>
#include <random>

#include "server/base/random.h"

namespace lumaedit {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t NextBits() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace lumaedit
