// The bytes of an answer as a list of parts, so that a large payload is echoed from the memory it
// was received into instead of being copied. Single-threaded.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lumaedit::simulator {

class Body {
 public:
  struct Part {
    std::shared_ptr<const std::string> owner;
    std::string_view bytes;
  };

  Body() = default;
  explicit Body(std::string text) { Append(std::move(text)); }

  void Append(std::string text);
  void Append(const Body& other);
  // `bytes` must lie in `*owner`.
  void AppendShared(std::shared_ptr<const std::string> owner, std::string_view bytes);
  void Prepend(std::string text);
  // Keeps the first `size` bytes.
  void Truncate(size_t size);

  size_t size() const { return size_; }
  const std::vector<Part>& parts() const { return parts_; }
  // One string; for small bodies only.
  std::string Flatten() const;

 private:
  std::vector<Part> parts_;
  size_t size_ = 0;
};

}  // namespace lumaedit::simulator
