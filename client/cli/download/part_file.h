// The file a download grows in: FILE.part, until it is whole and takes its name.
//
// Beside it lies FILE.part.tag, with what the server said its bytes are a part of (an ETag, or a
// time), so that a later run goes on only with the same file. One process at a time holds it, by a
// lock on the file. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lumaedit::client::cli {

class PartFile {
 public:
  // `path` is the final name.
  explicit PartFile(std::string path);
  ~PartFile();

  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  // Opens what an earlier run left, or makes it. Without a tag its bytes are worthless and go.
  // ABORTED: another process holds it. Any other error is the disk's, in words.
  absl::Status Open();

  std::int64_t size() const { return size_; }
  // For If-Range; empty: none is known.
  const std::string& tag() const { return tag_; }

  // Empties it for the bytes of the file that `tag` names.
  absl::Status Begin(const std::string& tag);

  // Asks for the room that `total` bytes take, where the file system can, so that a full disk is
  // known at once.
  absl::Status Reserve(std::int64_t total);

  absl::Status Append(absl::string_view bytes);

  // Puts the bytes on the disk and gives the file its name; what had that name before is gone.
  absl::Status Finish();

 private:
  std::string TagPath() const;

  const std::string path_;
  const std::string part_path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
  std::string tag_;
};

}  // namespace lumaedit::client::cli
