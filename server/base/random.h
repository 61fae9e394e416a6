// Randomness: identifiers that cannot be guessed, and jitter. Owned by `app`; any thread.
#pragma once

#include <cstdint>
#include <string>

namespace lumaedit {

class Random {
 public:
  virtual ~Random() = default;

  virtual std::uint64_t NextBits() = 0;

  // Uniform in [0, 1).
  double Uniform();

  // A version 4 UUID in lower case (RFC 9562): 122 random bits.
  std::string Uuid();
};

// From the operating system through OpenSSL; fit for identifiers that guard access.
class SystemRandom final : public Random {
 public:
  std::uint64_t NextBits() override;
};

}  // namespace lumaedit
