#include "server/store/migrations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/store/errno_status.h"
#include "server/store/schema.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

// The 100 bytes at the start of every SQLite file (sqlite.org/fileformat2.html, section 1.3).
constexpr int kHeaderBytes = 100;
constexpr char kMagic[] = "SQLite format 3";  // with its closing zero: 16 bytes
constexpr int kUserVersionOffset = 60;
constexpr int kApplicationIdOffset = 68;

// A full reading of a larger file would keep a restart waiting for long; SQLite still finds damage
// when it meets it.
constexpr std::int64_t kReadWholeBelowBytes = 256LL << 20;

std::uint32_t BigEndian(const unsigned char* bytes) {
  return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
         (std::uint32_t{bytes[2]} << 8) | std::uint32_t{bytes[3]};
}

absl::Status Damaged(const std::string& path, const std::string& why) {
  return absl::DataLossError(absl::StrCat("the database ", path, " is damaged (", why,
                                          "); it was left as it is: restore a backup"));
}

absl::Status Newer(const std::string& path, std::int64_t version) {
  return absl::FailedPreconditionError(
      absl::StrCat("the database ", path, " has schema version ", version,
                   ", written by a newer gateway; this one knows up to ", NewestSchemaVersion(),
                   ". It was left as it is: start the newer gateway again, or restore a backup"));
}

absl::Status CheckHeader(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoError(errno, absl::StrCat("cannot open ", path));
  unsigned char header[kHeaderBytes];
  const ssize_t length = pread(descriptor, header, sizeof(header), 0);
  const int error_number = errno;
  close(descriptor);
  if (length < 0) return ErrnoError(error_number, absl::StrCat("cannot read ", path));
  if (length < kHeaderBytes || std::memcmp(header, kMagic, sizeof(kMagic)) != 0) {
    return Damaged(path, "no SQLite header");
  }
  if (BigEndian(header + kApplicationIdOffset) != static_cast<std::uint32_t>(kApplicationId)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a database of this gateway; it was left as it is"));
  }
  const std::uint32_t version = BigEndian(header + kUserVersionOffset);
  if (version > static_cast<std::uint32_t>(NewestSchemaVersion())) return Newer(path, version);
  return absl::OkStatus();
}

}  // namespace

int NewestSchemaVersion() { return static_cast<int>(kMigrations.size()); }

absl::Status CheckDatabase(const std::string& path, const std::string& vfs) {
  RETURN_IF_ERROR(CheckHeader(path));
  // From here SQLite reads, with the log of a process that was killed taken into account. It may
  // not move that log into the file: what is refused must stay as it is.
  ASSIGN_OR_RETURN(const auto connection,
                   SqliteConnection::Open(path, SqliteConnection::Mode::kReadWrite, vfs));
  RETURN_IF_ERROR(connection->CheckpointOnClose(false));
  const absl::StatusOr<std::int64_t> version = connection->QueryInt("PRAGMA user_version");
  if (absl::IsDataLoss(version.status())) return Damaged(path, "unreadable");
  if (!version.ok()) return version.status();
  if (*version > NewestSchemaVersion()) return Newer(path, *version);
  if (*version < 1) return Damaged(path, "no schema version");

  struct stat file;
  const bool read_whole = stat(path.c_str(), &file) == 0 && file.st_size < kReadWholeBelowBytes;
  const absl::StatusOr<std::string> check =
      read_whole ? connection->QueryText("PRAGMA quick_check(1)")
                 : connection->QueryText("SELECT 'ok' FROM sqlite_schema LIMIT 1");
  if (absl::IsDataLoss(check.status()) || (check.ok() && *check != "ok")) {
    return Damaged(path, "its pages do not hold together");
  }
  return check.status();
}

absl::Status Migrate(SqliteConnection& connection, int version) {
  for (int step = version; step < NewestSchemaVersion(); ++step) {
    const std::string sql = absl::StrCat("BEGIN IMMEDIATE;", kMigrations[step],
                                         "PRAGMA application_id = ", kApplicationId,
                                         ";PRAGMA user_version = ", step + 1, ";COMMIT;");
    if (absl::Status status = connection.Execute(sql.c_str()); !status.ok()) {
      if (connection.InTransaction()) connection.Execute("ROLLBACK").IgnoreError();
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status UseDurableLog(SqliteConnection& connection) {
  ASSIGN_OR_RETURN(const std::string mode, connection.QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError(
        "the data folder's file system cannot share memory between connections, which the "
        "database's log needs; use a local disk");
  }
  // journal_size_limit gives the space of a long log back once it was moved into the file.
  return connection.Execute("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;");
}

}  // namespace lumaedit
