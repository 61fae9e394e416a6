#include "server/app/key_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"

namespace lumaedit {
namespace {

// Longer than any key seen; a file beyond it is not a key.
constexpr std::size_t kMostKeyBytes = 4096;
constexpr absl::Duration kLookInterval = absl::Seconds(1);

}  // namespace

absl::StatusOr<Secret> CheckedKey(std::string bytes) {
  const std::string key(absl::StripAsciiWhitespace(bytes));
  if (key.empty()) return absl::InvalidArgumentError("the key is empty");
  const bool printable =
      std::all_of(key.begin(), key.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
  if (!printable || key.size() > kMostKeyBytes) {
    return absl::InvalidArgumentError(
        "this is no API key: one line of printable ASCII without spaces is expected");
  }
  return Secret(key);
}

absl::StatusOr<Secret> ReadKeyFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError("the key file cannot be read");
  std::string bytes(kMostKeyBytes + 2, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return CheckedKey(std::move(bytes));
}

KeyFile::KeyFile(std::string path, Secret key, Clock& clock, Log& log)
    : path_(std::move(path)),
      clock_(clock),
      log_(log),
      key_(std::move(key)),
      stamp_(StampOf(path_)),
      next_look_(clock.Uptime() + kLookInterval) {}

KeyFile::Stamp KeyFile::StampOf(const std::string& path) {
  struct stat info {};
  if (path.empty() || stat(path.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

const Secret& KeyFile::Current() {
  if (path_.empty() || clock_.Uptime() < next_look_) return key_;
  next_look_ = clock_.Uptime() + kLookInterval;
  const Stamp stamp = StampOf(path_);
  if (stamp == stamp_) return key_;
  stamp_ = stamp;
  auto key = ReadKeyFile(path_);
  if (!key.ok()) {
    // The key that was read before is used on.
    log_.Error("key_file_unusable",
               {{"path", path_}, {"error", std::string(key.status().message())}});
  } else if (*key == key_) {
    log_.Debug("key_file_rewritten");
  } else {
    key_ = *std::move(key);
    log_.Info("key_file_changed");
  }
  return key_;
}

}  // namespace lumaedit
