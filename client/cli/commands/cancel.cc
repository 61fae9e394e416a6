#include "client/cli/commands/cancel.h"

#include <CLI/CLI.hpp>

#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

CLI::App* AddCancel(CLI::App& app, Arguments& arguments) {
  CLI::App* cancel = app.add_subcommand("cancel", "Cancel a job; says what it still costs");
  AddJobId(cancel, arguments);
  return cancel;
}

int RunCancel(Session& session) {
  const Result<v1::CancelJobResponse> response =
      session.client().Cancel(session.arguments().job_id, session.ForCall());
  if (!response.ok()) return session.Failed(response.error());
  session.printer().PrintCancel(*response);
  return response->result() == v1::CancelJobResponse::RESULT_TOO_LATE ? kExitConflict : kExitOk;
}

}  // namespace lumaedit::client::cli
