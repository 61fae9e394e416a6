// `luma-edit budget`: the caller's limit and use in the current window.
#pragma once

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

// The command's options, into `arguments`.
CLI::App* AddBudget(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunBudget(Session& session);

}  // namespace lumaedit::client::cli
