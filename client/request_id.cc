#include "client/request_id.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lumaedit::client {

std::string NewRequestId() {
  // A fresh random_device each time reads the kernel's generator: a seeded one could repeat itself
  // after a fork, and a repeated id would return somebody's earlier job.
  std::random_device device;
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t at = 0; at < bytes.size(); at += 4) {
    const std::uint32_t word = device();
    std::memcpy(&bytes[at], &word, 4);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x40;  // version 4
  bytes[8] = (bytes[8] & 0x3f) | 0x80;  // the variant of RFC 4122
  const std::string hex = absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

}  // namespace lumaedit::client
