// `luma-edit get`: shows a job as it is now.
#pragma once

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

// The command's options, into `arguments`.
CLI::App* AddGet(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunGet(Session& session);

}  // namespace lumaedit::client::cli
