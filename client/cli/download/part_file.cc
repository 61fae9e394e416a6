#include "client/cli/download/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lumaedit::client::cli {
namespace {

constexpr mode_t kMode = 0666;  // less what the user's umask takes away
constexpr std::size_t kMostTagBytes = 1024;

absl::Status Failed(absl::string_view what, const std::string& path, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(absl::StrCat("no space left for ", path));
  }
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", path, ": ", strerror(error)));
}

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.size() > kMostTagBytes ? std::string() : line;
}

}  // namespace

PartFile::PartFile(std::string path) : path_(std::move(path)), part_path_(path_ + ".part") {}

PartFile::~PartFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string PartFile::TagPath() const { return part_path_ + ".tag"; }

absl::Status PartFile::Open() {
  struct stat info = {};
  if (stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return absl::UnavailableError(absl::StrCat(path_, " is no file"));
  }
  descriptor_ = open(part_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode);
  if (descriptor_ < 0) return Failed("write", part_path_, errno);
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return absl::AbortedError(absl::StrCat("another download writes ", part_path_));
  }
  if (fstat(descriptor_, &info) != 0) return Failed("read", part_path_, errno);
  size_ = info.st_size;
  tag_ = ReadLine(TagPath());
  return tag_.empty() ? Begin("") : absl::OkStatus();
}

absl::Status PartFile::Begin(const std::string& tag) {
  // First no tag: a kill in between must not leave one beside the bytes of another file.
  if (unlink(TagPath().c_str()) != 0 && errno != ENOENT) {
    return Failed("remove", TagPath(), errno);
  }
  tag_.clear();
  if (ftruncate(descriptor_, 0) != 0) return Failed("empty", part_path_, errno);
  size_ = 0;
  if (tag.empty() || tag.size() > kMostTagBytes) return absl::OkStatus();
  std::ofstream file(TagPath());
  file << tag << "\n" << std::flush;
  if (!file.good()) return Failed("write", TagPath(), errno);
  tag_ = tag;
  return absl::OkStatus();
}

absl::Status PartFile::Reserve(std::int64_t total) {
  if (total <= size_) return absl::OkStatus();
  if (fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, size_, total - size_) == 0 ||
      (errno != ENOSPC && errno != EDQUOT)) {
    return absl::OkStatus();
  }
  return Failed("write", part_path_, errno);
}

absl::Status PartFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write", part_path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_ += written;
  }
  return absl::OkStatus();
}

absl::Status PartFile::Finish() {
  if (fdatasync(descriptor_) != 0) return Failed("write", part_path_, errno);
  if (rename(part_path_.c_str(), path_.c_str()) != 0) return Failed("write", path_, errno);
  unlink(TagPath().c_str());
  return absl::OkStatus();
}

}  // namespace lumaedit::client::cli
