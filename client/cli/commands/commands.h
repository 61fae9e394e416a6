// Every command of luma-edit: what its options are, and what runs it.
//
// A new command is a file of its own here (its options, its Run), a value of Command, a row of the
// table, and where it has options of its own a member of Arguments.
#pragma once

#include "absl/types/span.h"
#include "client/cli/arguments.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

class Session;

struct CommandEntry {
  Command command;
  // Adds the subcommand with its options, which are parsed into `arguments`.
  CLI::App* (*add)(CLI::App& app, Arguments& arguments);
  // Runs it to its end; returns the exit code.
  int (*run)(Session& session);
};

// In the order of --help.
absl::Span<const CommandEntry> AllCommands();

}  // namespace lumaedit::client::cli
