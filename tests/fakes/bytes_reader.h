// A SourceReader over bytes in memory. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "server/job/source_store.h"

namespace lumaedit {

class BytesReader final : public SourceReader {
 public:
  explicit BytesReader(std::string bytes) : bytes_(std::move(bytes)) {}
  std::int64_t size_bytes() const override { return static_cast<std::int64_t>(bytes_.size()); }
  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t most) override {
    const std::int64_t begin = std::min(offset, size_bytes());
    return bytes_.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(most));
  }

 private:
  const std::string bytes_;
};

}  // namespace lumaedit
