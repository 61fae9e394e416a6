#include "client/cli/commands/budget.h"

#include <CLI/CLI.hpp>

#include "client/cli/exit_code.h"
#include "client/cli/price_text.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

CLI::App* AddBudget(CLI::App& app, Arguments&) {
  return app.add_subcommand("budget", "Show your limit and use in the current window");
}

int RunBudget(Session& session) {
  const Result<v1::Budget> budget = session.client().GetBudget(session.ForCall());
  if (!budget.ok()) return session.Failed(budget.error());
  session.printer().PrintMessage(*budget, BudgetLines(*budget));
  return kExitOk;
}

}  // namespace lumaedit::client::cli
