// `luma-edit watch --all`: one line a transition of every job, until it is interrupted.
#pragma once

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct WatchAllArguments {
  bool all = false;
  bool from_start = false;
  std::string resume_token;
};

// The options of `watch` that are about all jobs, into `arguments`.
void AddWatchAll(CLI::App* watch, Arguments& arguments);

// Runs it; returns the exit code.
int RunWatchAll(Session& session);

}  // namespace lumaedit::client::cli
