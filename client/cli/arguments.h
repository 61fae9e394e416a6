// What the user asked luma-edit to do: the command line and the environment, parsed and checked.
//
// Filled once at start, constant afterwards. The options of a command stand with it, in commands/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cli/commands/download.h"
#include "client/cli/commands/list.h"
#include "client/cli/commands/quote.h"
#include "client/cli/commands/report.h"
#include "client/cli/commands/resolve.h"
#include "client/cli/commands/submit.h"
#include "client/cli/commands/upload.h"
#include "client/cli/commands/watch_all.h"
#include "client/connection.h"

namespace lumaedit::client::cli {

enum class Command {
  kSubmit,
  kUpload,
  kWatch,
  kGet,
  kList,
  kCancel,
  kQuote,
  kBudget,
  kReport,
  kResolve,
  kRefresh,
  kDownload,
};

struct Arguments {
  Command command = Command::kGet;
  ConnectionOptions connection;
  absl::Duration timeout = absl::Seconds(30);
  bool json = false;

  std::string job_id;                         // the commands about one job
  std::map<std::string, std::string> labels;  // submit, list, watch --all, resolve
  SubmitArguments submit;
  UploadArguments upload;
  ListArguments list;
  QuoteArguments quote;
  ReportArguments report;
  ResolveArguments resolve;
  WatchAllArguments watch_all;
  DownloadArguments download;
  std::int32_t after_sequence = 0;                   // watch
  absl::Duration heartbeat = absl::Seconds(15);      // watch, submit --watch
  absl::Duration give_up_after = absl::Minutes(30);  // watch, submit --watch, upload
};

// Nothing to run: print `text` (to stderr unless exit_code is 0) and leave.
struct ParseStop {
  int exit_code = 0;
  std::string text;
};

// Reads the command line; what it leaves out is taken from LUMA_EDIT_… variables of the
// environment.
std::variant<Arguments, ParseStop> ParseArguments(int argc, const char* const* argv);

// "1.08" or "$1.08" → 1080000: exact, at most six decimals. Unset for anything else.
std::optional<std::int64_t> ParseUsdMicros(absl::string_view text);

}  // namespace lumaedit::client::cli
