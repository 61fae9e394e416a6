#include "server/store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/store/errno_status.h"

namespace lumaedit {
namespace {

std::string HolderOf(int descriptor) {
  char text[32];
  const ssize_t length = pread(descriptor, text, sizeof(text), 0);
  if (length <= 0) return "unknown";
  std::string pid(absl::StripAsciiWhitespace(absl::string_view(text, length)));
  for (const char c : pid) {
    if (!absl::ascii_isdigit(c)) return "unknown";
  }
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Take(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/lock");
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return ErrnoError(errno, absl::StrCat("cannot open ", path));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int error_number = errno;
    const std::string holder = HolderOf(descriptor);
    close(descriptor);
    if (error_number != EWOULDBLOCK) {
      return ErrnoError(error_number, absl::StrCat("cannot lock ", path));
    }
    return absl::FailedPreconditionError(absl::StrCat("the data folder ", folder,
                                                      " is in use by process ", holder,
                                                      "; one gateway at a time may work in it"));
  }
  // The pid only helps people; the lock holds without it, on a full disk too.
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(descriptor, 0) == 0) {
    [[maybe_unused]] const ssize_t written = pwrite(descriptor, pid.data(), pid.size(), 0);
  }
  return std::unique_ptr<FileLock>(new FileLock(descriptor));
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace lumaedit
