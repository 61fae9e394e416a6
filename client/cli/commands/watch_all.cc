#include "client/cli/commands/watch_all.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

void AddWatchAll(CLI::App* watch, Arguments& arguments) {
  WatchAllArguments& to = arguments.watch_all;
  watch->add_flag("--all", to.all, "All your jobs, also later ones, until Ctrl-C")
      ->group("Watching all");
  AddLabels(watch, arguments, "With --all: only jobs with this label, may be repeated");
  watch->get_option("--label")->group("Watching all");
  CLI::Option* from_start =
      watch
          ->add_flag("--from-start", to.from_start,
                     "With --all: first what has happened to the jobs that there are")
          ->group("Watching all");
  watch
      ->add_option("--resume-token", to.resume_token,
                   "With --all: go on where an earlier watch with the same labels stopped")
      ->type_name("TOKEN")
      ->excludes(from_start)
      ->group("Watching all");
}

int RunWatchAll(Session& session) {
  const WatchAllArguments& from = session.arguments().watch_all;
  Printer& printer = session.printer();
  std::string token = from.resume_token;

  WatchAllOptions options;
  options.heartbeat_interval = session.arguments().heartbeat;
  options.max_outage = session.arguments().give_up_after;
  options.stop = session.interrupt().token();
  options.labels = session.arguments().labels;
  options.resume_token = from.resume_token;
  if (from.from_start) options.known_sequence = [](const v1::Job&) { return 0; };
  options.on_position = [&token](const std::string& position) { token = position; };
  options.on_interrupted = [&printer](const ClientError& error, absl::Duration wait) {
    printer.Note(absl::StrCat(error.ToString(), "; resuming in ",
                              absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(10)))));
  };
  const Result<WatchAllEnd> end = session.client().WatchAll(
      [&printer](const std::string& job_id, const v1::Transition& transition) {
        printer.PrintTransitionOf(job_id, transition);
        return printer.FlushOk() ? WatchStep::kGoOn : WatchStep::kStop;
      },
      options);
  if (end.ok()) return kExitOutput;  // nothing else stops it without an error
  const int code = session.Failed(end.error());
  if (!token.empty()) {
    std::string resume = "luma-edit watch --all";
    for (const auto& [key, value] : options.labels) {
      absl::StrAppend(&resume, " --label ", key, "=", value);
    }
    printer.Note(absl::StrCat("go on with: ", resume, " --resume-token ", token));
  }
  return code;
}

}  // namespace lumaedit::client::cli
