#include "client/cli/commands/watch.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/commands/watch_all.h"
#include "client/cli/exit_code.h"
#include "client/cli/live_line.h"
#include "client/cli/options.h"
#include "client/cli/session.h"
#include "client/cli/watch_view.h"

namespace lumaedit::client::cli {

CLI::App* AddWatch(CLI::App& app, Arguments& arguments) {
  CLI::App* watch =
      app.add_subcommand("watch", "Follow a job's transitions to its end, or all jobs'");
  watch->add_option("--after", arguments.after_sequence, "Only transitions after this number")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()))
      ->type_name("N")
      ->group("Watching");
  AddWatching(watch, arguments);
  CLI::Option* job = AddJobId(watch, arguments)->required(false);
  AddWatchAll(watch, arguments);
  const CLI::Option* all = watch->get_option("--all");
  watch->callback([=] {
    if ((job->count() == 0) == (all->count() == 0)) {
      throw CLI::RequiredError("a job, or --all,");
    }
    if (all->count() != 0) {
      if (watch->count("--after") != 0) throw CLI::ExcludesError("--after", "--all");
      return;
    }
    for (const char* option : {"--label", "--from-start", "--resume-token"}) {
      if (watch->count(option) != 0) throw CLI::RequiresError(option, "--all");
    }
  });
  return watch;
}

int RunWatch(Session& session) {
  if (session.arguments().watch_all.all) return RunWatchAll(session);
  return WatchToEnd(session, session.arguments().job_id, session.arguments().after_sequence,
                    /*return_at_held=*/false);
}

int WatchToEnd(Session& session, const std::string& job_id, std::int32_t after_sequence,
               bool return_at_held) {
  WatchView view;
  std::optional<LiveLine> line;
  if (!session.arguments().json && CanShowLiveLine(STDOUT_FILENO)) {
    line.emplace(STDOUT_FILENO, [&view](int columns) { return view.Line(absl::Now(), columns); });
  }
  LiveLine* const live = line.has_value() ? &*line : nullptr;
  const auto redraw = [live] {
    if (live != nullptr) live->Redraw();
  };
  Printer printer(std::cout, std::cerr, session.arguments().json, live);

  WatchOptions options;
  options.heartbeat_interval = session.arguments().heartbeat;
  options.max_outage = session.arguments().give_up_after;
  options.stop = session.interrupt().token();
  // A HELD that is replayed may be over: only what the job is now counts.
  bool caught_up = false;
  options.on_caught_up = [&](const v1::Job& job) {
    caught_up = true;
    view.Take(job);
    redraw();
    const bool held = return_at_held && job.state() == v1::Job::STATE_HELD;
    return held ? WatchStep::kStop : WatchStep::kGoOn;
  };
  options.on_heartbeat = [&](const v1::Heartbeat& heartbeat) {
    view.Take(heartbeat);
    redraw();
  };
  options.on_interrupted = [&](const ClientError& error, absl::Duration wait) {
    caught_up = false;
    view.Interrupted(absl::Now() + wait);
    // The live line shows it already; a pipe has no other place than stderr.
    if (live == nullptr) {
      printer.Note(absl::StrCat(error.ToString(), "; resuming in ",
                                absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(10)))));
    }
    redraw();
  };

  std::int32_t last = after_sequence;
  bool output_ok = true;
  const Result<WatchEnd> end = session.client().Watch(
      job_id, after_sequence,
      [&](const v1::Transition& transition) {
        last = transition.sequence();
        view.Take(transition);
        printer.PrintTransition(job_id, transition);
        output_ok = printer.FlushOk();
        const bool held = return_at_held && caught_up && transition.state() == v1::Job::STATE_HELD;
        return held || !output_ok ? WatchStep::kStop : WatchStep::kGoOn;
      },
      options);
  line.reset();

  if (!output_ok) return kExitOutput;
  const std::string resume = absl::StrCat("luma-edit watch ", job_id, " --after ", last);
  if (!end.ok()) {
    const int code = session.Failed(end.error());
    if (session.interrupt().signal() != 0) {
      session.printer().Note(
          absl::StrCat("no longer watching. The job goes on; resume with: ", resume));
    } else if (code == kExitUnavailable) {
      session.printer().Note(absl::StrCat("the job goes on; resume with: ", resume));
    }
    return code;
  }
  if (end->state == v1::Job::STATE_HELD) {
    session.printer().Note(absl::StrCat(
        "the job is HELD: the upstream may have accepted it, and it will not be sent again. Look "
        "at "
        "its candidates (luma-edit get ",
        job_id, ") and let somebody who may decide resolve it. The gateway goes on looking; ",
        "to wait: ", resume));
  }
  return ExitCodeOf(end->state);
}

}  // namespace lumaedit::client::cli
