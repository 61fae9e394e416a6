// `luma-edit refresh`: asks the upstream again for a final job's output.
#pragma once

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

// The command's options, into `arguments`.
CLI::App* AddRefresh(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunRefresh(Session& session);

}  // namespace lumaedit::client::cli
