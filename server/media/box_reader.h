// Big-endian fields and boxes inside bytes that are in memory. Values; any thread.
//
// Reading past the end yields zeros and ok() = false, so that a parser checks once, at its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lumaedit {

class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t Unsigned(int width) {
    std::uint64_t value = 0;
    if (remaining() < static_cast<std::size_t>(width)) {
      ok_ = false;
      bytes_ = {};
      return 0;
    }
    for (int i = 0; i < width; ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(i)]);
    }
    bytes_.remove_prefix(static_cast<std::size_t>(width));
    return value;
  }
  std::uint32_t U32() { return static_cast<std::uint32_t>(Unsigned(4)); }
  std::int32_t S32() { return static_cast<std::int32_t>(U32()); }
  std::uint64_t U64() { return Unsigned(8); }
  void Skip(std::size_t count) {
    if (count > remaining()) {
      ok_ = false;
      count = remaining();
    }
    bytes_.remove_prefix(count);
  }
  std::string_view Take(std::size_t count) {
    const std::string_view taken = bytes_.substr(0, count);
    Skip(count);
    return taken;
  }

  std::size_t remaining() const { return bytes_.size(); }
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

constexpr std::uint32_t BoxType(const char (&name)[5]) {
  std::uint32_t type = 0;
  for (int i = 0; i < 4; ++i) type = type << 8 | static_cast<unsigned char>(name[i]);
  return type;
}

struct Box {
  std::uint32_t type = 0;
  std::string_view body;
};

// The next box of a parent's body; unset at the end and at the first box that does not fit.
inline std::optional<Box> NextBox(FieldReader& parent) {
  if (parent.remaining() < 8) return std::nullopt;
  std::uint64_t size = parent.U32();
  const std::uint32_t type = parent.U32();
  std::uint64_t header = 8;
  if (size == 1) {
    size = parent.U64();
    header = 16;
  } else if (size == 0) {
    size = parent.remaining() + header;
  }
  if (!parent.ok() || size < header || size - header > parent.remaining()) return std::nullopt;
  return Box{type, parent.Take(static_cast<std::size_t>(size - header))};
}

// The first box of this type in a body; empty when there is none.
inline std::string_view FindBox(std::string_view body, std::uint32_t type) {
  FieldReader reader(body);
  while (const std::optional<Box> box = NextBox(reader)) {
    if (box->type == type) return box->body;
  }
  return {};
}

}  // namespace lumaedit
