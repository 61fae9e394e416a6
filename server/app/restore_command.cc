#include "server/app/restore_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "server/app/config.h"
#include "server/base/clock.h"
#include "server/base/random.h"
#include "server/job/restore_check.h"
#include "server/store/sqlite_job_store.h"

namespace lumaedit {
namespace {

absl::StatusOr<std::string> GiveNewId(const std::string& data_dir, Log& log) {
  SystemClock clock;
  SystemRandom random;
  auto store = OpenSqliteJobStore({.data_dir = data_dir,
                                   .clock = clock,
                                   .random = random,
                                   .log = log,
                                   .read_connections = 1,
                                   .vfs = "",
                                   .counters = nullptr});
  if (!store.ok()) return store.status();
  // The mark first: a new id alone must not look like a comparison that is over.
  if (absl::Status marked = MarkRestored(**store); !marked.ok()) {
    return marked;
  }
  const std::string store_id = random.Uuid();
  if (absl::Status put = (*store)->PutSetting("store_id", store_id); !put.ok()) return put;
  return store_id;
}

}  // namespace

std::optional<int> RunRestoreCommand(const std::vector<std::string>& arguments, std::ostream& out,
                                     std::ostream& err, Log& log) {
  if (arguments.empty() || arguments[0] != "restore-check") return std::nullopt;
  CLI::App app(
      "For a data folder restored from a backup: nothing is sent until the upstream's "
      "list was compared with it",
      "luma-edit-gateway restore-check");
  std::string data_dir;
  app.add_option("--data-dir", data_dir, "The folder")
      ->envname("LUMAEDIT_DATA_DIR")
      ->check(CLI::ExistingDirectory)
      ->required();
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend() - 1));
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return EXIT_SUCCESS;
  } catch (const CLI::ParseError& error) {
    err << "luma-edit-gateway: " << error.what() << "\n";
    return kExitConfig;
  }
  // Opening makes what is missing; there is nothing to check in a new store.
  if (!std::filesystem::exists(std::filesystem::path(data_dir) / "jobs.db")) {
    err << "luma-edit-gateway: there is no jobs.db in " << data_dir << "\n";
    return EXIT_FAILURE;
  }
  const auto store_id = GiveNewId(data_dir, log);
  if (!store_id.ok()) {
    err << "luma-edit-gateway: " << store_id.status().message() << "\n";
    return EXIT_FAILURE;
  }
  out << "The store's new id is " << *store_id
      << ". The gateway will send nothing until it has compared the upstream's list with the "
         "store; "
         "`luma-edit-gateway status` shows that.\n";
  return EXIT_SUCCESS;
}

}  // namespace lumaedit
