#include "client/cli/program.h"

#include <iostream>
#include <memory>

#include "client/cli/commands/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/session.h"
#include "client/client.h"

namespace lumaedit::client::cli {
namespace {

int Run(Session& session) {
  for (const CommandEntry& entry : AllCommands()) {
    if (entry.command == session.arguments().command) return entry.run(session);
  }
  return kExitUsage;
}

}  // namespace

int RunProgram(const Arguments& arguments, const Interrupt& interrupt) {
  ClientOptions options;
  options.connection = arguments.connection;
  const Result<std::unique_ptr<Client>> client = Client::Create(options);
  if (!client.ok()) {
    Printer(std::cout, std::cerr, arguments.json, nullptr).PrintError(client.error());
    return ExitCodeOf(client.error());
  }
  Session session(arguments, interrupt, **client);
  const int code = Run(session);
  std::cout.flush();
  return code == kExitOk && !std::cout.good() ? static_cast<int>(kExitOutput) : code;
}

}  // namespace lumaedit::client::cli
