// What a fuzzer calls with bytes: each target answers 0 and aborts on a broken promise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lumaedit {

int FuzzRecord(const std::uint8_t* data, std::size_t size);
int FuzzList(const std::uint8_t* data, std::size_t size);
int FuzzPostAnswer(const std::uint8_t* data, std::size_t size);
int FuzzRetryAfter(const std::uint8_t* data, std::size_t size);

}  // namespace lumaedit
