#include "client/cli/commands/refresh.h"

#include <CLI/CLI.hpp>

#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

CLI::App* AddRefresh(CLI::App& app, Arguments& arguments) {
  CLI::App* refresh =
      app.add_subcommand("refresh", "Ask the upstream again for a final job's output");
  AddJobId(refresh, arguments);
  return refresh;
}

int RunRefresh(Session& session) {
  const Result<v1::Job> job =
      session.client().Refresh(session.arguments().job_id, session.ForCall());
  if (!job.ok()) return session.Failed(job.error());
  session.printer().PrintJob(*job);
  return kExitOk;
}

}  // namespace lumaedit::client::cli
