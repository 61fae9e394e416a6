// Small POSIX steps on files, with the meaning of a full disk kept. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lumaedit {

// Owns a file descriptor.
class OpenFile {
 public:
  // `flags` as of open(2); symbolic links are not followed. NOT_FOUND when there is no such file.
  static absl::StatusOr<OpenFile> Open(const std::string& path, int flags);

  ~OpenFile();
  OpenFile(OpenFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OpenFile& operator=(OpenFile&&) = delete;

  absl::StatusOr<std::int64_t> Size() const;
  // Up to `most` bytes; fewer only at the end of the file.
  absl::StatusOr<std::string> ReadAt(std::int64_t offset, std::int64_t most) const;
  absl::Status WriteAt(std::int64_t offset, std::string_view bytes) const;
  absl::Status Truncate(std::int64_t size) const;
  absl::Status Sync() const;

 private:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

enum class Durability { kSurvivesKill, kSurvivesPowerLoss };

// Replaces `path` in one step, by way of `path` + ".tmp"; a reader sees the old text or the new
// one.
absl::Status ReplaceFile(const std::string& path, std::string_view text, Durability durability);

absl::Status SyncDirectory(const std::string& path);

}  // namespace lumaedit
