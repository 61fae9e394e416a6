// Seeded randomness, the same on every platform and library version: the distributions are written
// out because those of <random> differ between implementations. Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace lumaedit::simulator {

class RandomSource {
 public:
  explicit RandomSource(uint64_t seed) : engine_(seed) {}

  // In [0, 1).
  double Unit();
  // True with the given probability.
  bool Chance(double probability) { return Unit() < probability; }
  // In [0, count); count must not be 0.
  size_t Index(size_t count);
  // Mean 0, deviation 1.
  double Normal();
  // A random (version 4) UUID in lower case.
  std::string Uuid();

 private:
  std::mt19937_64 engine_;
};

}  // namespace lumaedit::simulator
