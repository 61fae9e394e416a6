// A video file to be uploaded: its size, its hash, and the id that follows from them.
//
// Used by one thread at a time.
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/strings/string_view.h"
#include "client/result.h"

namespace lumaedit::client {

class SourceFile {
 public:
  // Reads the whole file once, to hash it. `on_hashed` is told how far that is, and may be empty.
  // INVALID_ARGUMENT for what cannot be read or is empty; CANCELLED when `stop` is requested.
  static Result<SourceFile> Open(const std::string& path, const std::stop_token& stop = {},
                                 const std::function<void(std::int64_t bytes)>& on_hashed = {});

  const std::string& path() const { return path_; }
  std::int64_t size_bytes() const { return size_bytes_; }
  // 32 raw bytes.
  const std::string& sha256() const { return sha256_; }

  // Up to `most` bytes from `offset`, fewer only at the end. INVALID_ARGUMENT when the file ends
  // before it did.
  Result<std::string> Read(std::int64_t offset, std::int64_t most);

 private:
  SourceFile(std::string path, std::unique_ptr<std::ifstream> stream)
      : path_(std::move(path)), stream_(std::move(stream)) {}

  std::string path_;
  std::unique_ptr<std::ifstream> stream_;
  std::int64_t size_bytes_ = 0;
  std::string sha256_;
};

// The same file under the same media type always has the same id, on every machine: a UUID of
// version 8 (RFC 9562) out of the SHA-256 of size, hash and media type. So whoever uploads the file
// again goes on with what is there.
std::string SourceIdOf(std::int64_t size_bytes, absl::string_view sha256,
                       absl::string_view media_type);

// "video/mp4" for "take.MP4"; empty when the extension says nothing.
std::string MediaTypeOf(absl::string_view path);

}  // namespace lumaedit::client
