#include "server/base/random.h"

#include <openssl/rand.h>

#include <cstdlib>

#include "absl/strings/str_format.h"

namespace lumaedit {

double Random::Uniform() { return static_cast<double>(NextBits() >> 11) * 0x1.0p-53; }

std::string Random::Uuid() {
  const std::uint64_t high = (NextBits() & ~0xF000ULL) | 0x4000ULL;
  const std::uint64_t low = (NextBits() & ~(0xC000ULL << 48)) | (0x8000ULL << 48);
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, (high >> 16) & 0xFFFF,
                         high & 0xFFFF, low >> 48, low & 0xFFFFFFFFFFFFULL);
}

std::uint64_t SystemRandom::NextBits() {
  std::uint64_t bits = 0;
  // An id from a broken generator could be guessed by another caller: there is no going on.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&bits), sizeof(bits)) != 1) std::abort();
  return bits;
}

}  // namespace lumaedit
