#include "client/cli/commands/resolve.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/cli/held_jobs.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {
namespace {

Result<v1::Job> Resolve(Session& session, const std::string& job_id, std::int32_t sequence) {
  const ResolveArguments& from = session.arguments().resolve;
  v1::ResolveJobRequest request;
  request.set_job_id(job_id);
  request.set_expected_sequence(sequence);
  if (from.abandon) {
    request.set_abandon(true);
  } else {
    request.set_adopt_upstream_id(from.adopt_upstream_id);
  }
  request.set_note(from.note);
  return session.client().Resolve(request, session.ForCall());
}

int ResolveOne(Session& session) {
  const std::string& job_id = session.arguments().job_id;
  std::int32_t sequence = session.arguments().resolve.sequence;
  if (sequence == 0) {
    const Result<v1::Job> job = session.client().Get(job_id, session.ForCall());
    if (!job.ok()) return session.Failed(job.error());
    sequence = job->sequence();
  }
  const Result<v1::Job> job = Resolve(session, job_id, sequence);
  if (!job.ok()) return session.Failed(job.error());
  session.printer().PrintJob(*job);
  return kExitOk;
}

// Asks on stderr, as stdout may be a file.
bool Confirmed() {
  std::cerr << "Abandon them? They end FAILED, and what the upstream did is billed. [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  answer = absl::AsciiStrToLower(answer);
  return answer == "y" || answer == "yes";
}

int AbandonLongHeld(Session& session) {
  const ResolveArguments& from = session.arguments().resolve;
  const Result<std::vector<HeldJob>> held =
      FindHeld(session.client(), session.arguments().labels, *from.held_for, session.ForCall());
  if (!held.ok()) return session.Failed(held.error());
  if (held->empty()) {
    session.printer().Note("no job has been held for so long");
    return kExitOk;
  }
  if (!from.yes) {
    // With --json too: who is asked must see what for.
    for (const std::string& line : HeldTable(*held)) std::cerr << line << "\n";
    if (isatty(STDIN_FILENO) == 0) {
      session.printer().PrintError(LocalError(absl::StatusCode::kInvalidArgument,
                                              "nobody can be asked here: say --yes to abandon"));
      return kExitUsage;
    }
    if (!Confirmed()) {
      session.printer().Note("nothing was abandoned");
      return kExitOk;
    }
  }
  int code = kExitOk;
  for (const HeldJob& each : *held) {
    const Result<v1::Job> job = Resolve(session, each.job.id(), each.job.sequence());
    if (job.ok()) {
      session.printer().PrintListed(*job);
      continue;
    }
    // The others are decided all the same: a record that was found, or another's decision, is of
    // one job.
    session.printer().Note(absl::StrCat("job ", each.job.id(), ":"));
    const int failed = session.Failed(job.error());
    if (code == kExitOk) code = failed;
    if (session.interrupt().signal() != 0) break;
  }
  return code;
}

}  // namespace

CLI::App* AddResolve(CLI::App& app, Arguments& arguments) {
  ResolveArguments& to = arguments.resolve;
  CLI::App* resolve =
      app.add_subcommand("resolve", "Decide about a HELD job: adopt a candidate, or abandon it");
  CLI::Option* job = AddJobId(resolve, arguments)->required(false);
  CLI::Option* adopt =
      resolve
          ->add_option("--adopt", to.adopt_upstream_id, "The candidate that is this job's record")
          ->type_name("ID");
  CLI::Option* abandon = resolve->add_flag(
      "--abandon", to.abandon, "Give it up: FAILED, though the upstream may have billed it");
  adopt->excludes(abandon);
  resolve
      ->add_option("--sequence", to.sequence,
                   "Only if the job still has this sequence [the present one]")
      ->check(CLI::Range(1, std::numeric_limits<std::int32_t>::max()))
      ->type_name("N")
      ->needs(job);
  resolve->add_option("--note", to.note, "Why, for the gateway's log")->type_name("TEXT");
  CLI::Option* held_for =
      AddDuration(resolve, "--held-for", "Abandon every job that has been HELD for so long",
                  absl::Seconds(1), absl::Hours(24 * 400),
                  [&to](absl::Duration value) { to.held_for = value; })
          ->excludes(job)
          ->needs(abandon)
          ->group("Many jobs");
  AddLabels(resolve, arguments, "With --held-for: only jobs with this label, may be repeated");
  resolve->get_option("--label")->needs(held_for)->group("Many jobs");
  resolve->add_flag("--yes", to.yes, "Do not ask")->needs(held_for)->group("Many jobs");
  resolve->callback([=] {
    if (job->count() == 0 && held_for->count() == 0) {
      throw CLI::RequiredError("a job, or --held-for,");
    }
    if (adopt->count() == 0 && abandon->count() == 0) {
      throw CLI::RequiredError("--adopt or --abandon");
    }
  });
  return resolve;
}

int RunResolve(Session& session) {
  return session.arguments().resolve.held_for.has_value() ? AbandonLongHeld(session)
                                                          : ResolveOne(session);
}

}  // namespace lumaedit::client::cli
