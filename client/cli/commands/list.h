// `luma-edit list`: one line a job, newest first.
#pragma once

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "lumaedit/v1/job.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct ListArguments {
  std::vector<v1::Job::State> states;
  int limit = 50;  // 0 = all
  std::optional<absl::Time> created_after;
};

// The command's options, into `arguments`.
CLI::App* AddList(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunList(Session& session);

}  // namespace lumaedit::client::cli
