// The database's files in the data folder: made so that a kill at any instant leaves either no
// database or a whole one, and opened only after they were checked. Runs at start, under the lock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/random.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

struct SqliteConnections {
  std::unique_ptr<SqliteConnection> writer;
  std::vector<std::unique_ptr<SqliteConnection>> readers;
};

// Makes the folder, for this user alone, when it is missing.
absl::Status MakePrivateFolder(const std::string& folder);

// Opens `<data_dir>/jobs.db`, making it (with a random store_id) or migrating it as needed.
absl::StatusOr<SqliteConnections> OpenDatabase(const std::string& data_dir, const std::string& vfs,
                                               int readers, Random& random);

}  // namespace lumaedit
