// The embedded JobStore: one SQLite file in the data folder, for one gateway process.
//
// Owned by `app`; thread-safe; every method blocks and belongs on a store thread. The exclusive
// lock on the data folder is the lease (protocol.md section 2): whoever opens the store holds it,
// and the epoch still fences what an earlier holder of this process left behind. README.md has the
// map.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/job/job_metrics.h"
#include "server/job/job_store.h"

namespace lumaedit {

// For metrics and tests: how many operations shared how many commits.
struct StoreCounters {
  std::atomic<std::int64_t> operations{0};
  std::atomic<std::int64_t> commits{0};
};

struct SqliteOptions {
  std::string data_dir;  // made if it is missing; holds jobs.db, its log and the lock
  Clock& clock;
  Random& random;
  Log& log;
  int read_connections = 4;
  std::string vfs;                          // tests: the name of another SQLite file layer
  std::shared_ptr<StoreCounters> counters;  // may be null
  JobMetrics& metrics = NoMetrics();
};

// Opens or creates the store and brings its schema up to date. FAILED_PRECONDITION: another process
// has the folder (its pid is named), or the database is not ours or a newer gateway's. DATA_LOSS:
// it is damaged. Nothing is overwritten then.
absl::StatusOr<std::unique_ptr<JobStore>> OpenSqliteJobStore(const SqliteOptions& options);

}  // namespace lumaedit
