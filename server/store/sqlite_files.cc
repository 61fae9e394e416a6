#include "server/store/sqlite_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/errno_status.h"
#include "server/store/migrations.h"
#include "server/store/source_files.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// SQLite gives its log the permissions of the database, which holds prompts: for this user alone.
absl::Status MakePrivateFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return ErrnoError(errno, absl::StrCat("cannot make ", path));
  close(descriptor);
  return absl::OkStatus();
}

// A new database comes into its place by a rename, whole.
absl::Status CreateDatabase(const std::string& folder, const std::string& path,
                            const std::string& vfs, Random& random) {
  const std::string draft = absl::StrCat(path, ".new");
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    std::remove(absl::StrCat(draft, suffix).c_str());
  }
  RETURN_IF_ERROR(MakePrivateFile(draft));
  {
    ASSIGN_OR_RETURN(const auto connection,
                     SqliteConnection::Open(draft, SqliteConnection::Mode::kCreate, vfs));
    RETURN_IF_ERROR(Migrate(*connection, 0));
    RETURN_IF_ERROR(connection->Prepare("INSERT INTO settings (name, value) VALUES (?, ?)")
                        .Bind("store_id")
                        .Bind(random.Uuid())
                        .Run());
  }
  if (std::rename(draft.c_str(), path.c_str()) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot make ", path));
  }
  return SyncDirectory(folder);
}

}  // namespace

absl::Status MakePrivateFolder(const std::string& folder) {
  const std::filesystem::path parent = std::filesystem::path(folder).parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (!error && mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    error = std::error_code(errno, std::system_category());
  }
  if (error) return ErrnoError(error.value(), absl::StrCat("cannot make the folder ", folder));
  return absl::OkStatus();
}

absl::StatusOr<SqliteConnections> OpenDatabase(const std::string& data_dir, const std::string& vfs,
                                               int readers, Random& random) {
  using Mode = SqliteConnection::Mode;
  const std::string path = absl::StrCat(data_dir, "/jobs.db");
  if (Exists(path)) {
    RETURN_IF_ERROR(CheckDatabase(path, vfs));
  } else {
    // A log without its database holds commits that a new database would destroy.
    if (Exists(absl::StrCat(path, "-wal"))) {
      return absl::DataLossError(
          absl::StrCat(path, " is missing but its log is there; put the database back, or move ",
                       path, "-wal away"));
    }
    RETURN_IF_ERROR(CreateDatabase(data_dir, path, vfs, random));
  }

  SqliteConnections connections;
  ASSIGN_OR_RETURN(connections.writer, SqliteConnection::Open(path, Mode::kReadWrite, vfs));
  RETURN_IF_ERROR(UseDurableLog(*connections.writer));
  ASSIGN_OR_RETURN(const std::int64_t version, connections.writer->QueryInt("PRAGMA user_version"));
  RETURN_IF_ERROR(Migrate(*connections.writer, static_cast<int>(version)));
  for (int i = 0; i < readers; ++i) {
    ASSIGN_OR_RETURN(auto reader, SqliteConnection::Open(path, Mode::kReadWrite, vfs));
    RETURN_IF_ERROR(reader->Execute("PRAGMA query_only = ON"));
    connections.readers.push_back(std::move(reader));
  }
  return connections;
}

}  // namespace lumaedit
