#include "server/store/source_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "server/store/errno_status.h"
#include "server/store/status_macros.h"

namespace lumaedit {

absl::StatusOr<OpenFile> OpenFile::Open(const std::string& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor >= 0) return OpenFile(descriptor);
  if (errno == ENOENT) return absl::NotFoundError("there is no such file");
  return ErrnoError(errno, "cannot open a file of a source");
}

OpenFile::~OpenFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<std::int64_t> OpenFile::Size() const {
  struct stat file;
  if (fstat(descriptor_, &file) != 0) return ErrnoError(errno, "cannot ask for a file's size");
  return static_cast<std::int64_t>(file.st_size);
}

absl::StatusOr<std::string> OpenFile::ReadAt(std::int64_t offset, std::int64_t most) const {
  std::string bytes(static_cast<std::size_t>(most), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = pread(descriptor_, bytes.data() + done, bytes.size() - done,
                              offset + static_cast<std::int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError(errno, "cannot read a file of a source");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

absl::Status OpenFile::WriteAt(std::int64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, "cannot write a file of a source");
    offset += written;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status OpenFile::Truncate(std::int64_t size) const {
  return ftruncate(descriptor_, size) == 0 ? absl::OkStatus()
                                           : ErrnoError(errno, "cannot shorten a file");
}

absl::Status OpenFile::Sync() const {
  return fsync(descriptor_) == 0 ? absl::OkStatus() : ErrnoError(errno, "cannot sync a file");
}

absl::Status ReplaceFile(const std::string& path, std::string_view text, Durability durability) {
  const std::string draft = absl::StrCat(path, ".tmp");
  absl::Status status = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const OpenFile file, OpenFile::Open(draft, O_WRONLY | O_CREAT | O_TRUNC));
    RETURN_IF_ERROR(file.WriteAt(0, text));
    if (durability == Durability::kSurvivesPowerLoss) RETURN_IF_ERROR(file.Sync());
    return absl::OkStatus();
  }();
  if (status.ok() && std::rename(draft.c_str(), path.c_str()) != 0) {
    status = ErrnoError(errno, "cannot replace a file");
  }
  if (!status.ok()) unlink(draft.c_str());
  return status;
}

absl::Status SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(const OpenFile directory, OpenFile::Open(path, O_RDONLY | O_DIRECTORY));
  return directory.Sync();
}

}  // namespace lumaedit
