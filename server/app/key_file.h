// The upstream's API key: read from a file, and read again when the file changes, so that a rotated
// secret is used without a restart.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/secret.h"

namespace lumaedit {

// The key without the line end that editors add. INVALID_ARGUMENT when it is empty or no key; the
// text never repeats what was read.
absl::StatusOr<Secret> CheckedKey(std::string bytes);
absl::StatusOr<Secret> ReadKeyFile(const std::string& path);

// Owned by `app`; one thread (the I/O thread). Blocks for a stat of a local file, now and then.
class KeyFile {
 public:
  // `path` empty: `key` for ever.
  KeyFile(std::string path, Secret key, Clock& clock, Log& log);

  // The key of now. A file that cannot be read or holds no key leaves the last good one.
  const Secret& Current();

 private:
  // What changes with the file, also when a symlink is turned to another one.
  using Stamp = std::tuple<dev_t, ino_t, off_t, std::int64_t, std::int64_t>;
  static Stamp StampOf(const std::string& path);

  const std::string path_;
  Clock& clock_;
  Log& log_;
  Secret key_;
  Stamp stamp_;
  absl::Duration next_look_;  // uptime
};

}  // namespace lumaedit
