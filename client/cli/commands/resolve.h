// `luma-edit resolve`: decides about a HELD job, or gives up all that have been held for long.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct ResolveArguments {
  std::string adopt_upstream_id;
  bool abandon = false;
  std::optional<absl::Duration> held_for;  // abandon all that are held for so long
  int sequence = 0;                        // 0 = the present one
  std::string note;
  bool yes = false;
};

// The command's options, into `arguments`.
CLI::App* AddResolve(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunResolve(Session& session);

}  // namespace lumaedit::client::cli
