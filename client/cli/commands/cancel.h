// `luma-edit cancel`: asks for the job's end, and says what it still costs.
#pragma once

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

// The command's options, into `arguments`.
CLI::App* AddCancel(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunCancel(Session& session);

}  // namespace lumaedit::client::cli
