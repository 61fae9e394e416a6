// The exclusive right to a data folder: flock on `<folder>/lock`, given back by the destructor or
// by the end of the process, however it ends. Owned by the store that works in the folder.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lumaedit {

class FileLock {
 public:
  // FAILED_PRECONDITION when another process (or another store of this one) has it; the message
  // names the folder and the holder's pid.
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& folder);

  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
};

}  // namespace lumaedit
