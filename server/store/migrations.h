// The schema, as numbered migrations; and the refusal of files that are not ours to change.
// Runs at start, under the data folder's lock, before any other thread uses the database.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sqlite_connection.h"

namespace lumaedit {

// "LmEd": marks a SQLite file as a database of this gateway.
inline constexpr int kApplicationId = 0x4C6D4564;

// What this program writes; the number of migrations.
int NewestSchemaVersion();

// Reads the file's header and asks SQLite, writing nothing into the file or its log.
// FAILED_PRECONDITION: another program's database, or a newer gateway's. DATA_LOSS: damaged.
absl::Status CheckDatabase(const std::string& path, const std::string& vfs);

// Brings the schema from `version` (0: an empty file) to the newest, a transaction a step.
absl::Status Migrate(SqliteConnection& connection, int version);

// WAL with synchronous=FULL: what was committed survives the loss of power.
absl::Status UseDurableLog(SqliteConnection& connection);

}  // namespace lumaedit
