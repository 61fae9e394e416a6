// The SourceStore in a folder: <data_dir>/sources/<SHA-256 of the caller>/<source id>.{bin,json}.
//
// Owned by `app`; thread-safe; every method blocks and belongs on a store thread. The folder is
// this process's alone: the job store of the same data folder holds the lock. A kill at any instant
// leaves an upload that goes on at what is on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/job/source_store.h"

namespace lumaedit {

struct FolderSourceOptions {
  std::string data_dir;
  // Announced bytes of a caller's sources that are neither expired nor rejected.
  std::int64_t quota_bytes_per_caller = std::int64_t{10} << 30;
  // A caller's sources that have not expired, rejected or not: each is a file at least.
  std::int64_t most_sources_per_caller = 100'000;
  Clock& clock;
  Log& log;
};

absl::StatusOr<std::unique_ptr<SourceStore>> OpenFolderSourceStore(
    const FolderSourceOptions& options);

}  // namespace lumaedit
