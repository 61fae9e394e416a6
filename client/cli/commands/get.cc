#include "client/cli/commands/get.h"

#include <CLI/CLI.hpp>

#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

CLI::App* AddGet(CLI::App& app, Arguments& arguments) {
  CLI::App* get = app.add_subcommand("get", "Show a job as it is now");
  AddJobId(get, arguments);
  return get;
}

int RunGet(Session& session) {
  const Result<v1::Job> job = session.client().Get(session.arguments().job_id, session.ForCall());
  if (!job.ok()) return session.Failed(job.error());
  session.printer().PrintJob(*job);
  return kExitOk;
}

}  // namespace lumaedit::client::cli
