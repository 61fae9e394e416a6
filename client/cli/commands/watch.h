// `luma-edit watch`: follows a job's transitions to its end.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

// The command's options, into `arguments`.
CLI::App* AddWatch(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunWatch(Session& session);

// Watches `job_id` and returns the exit code of its end, or of HELD when `return_at_held`.
int WatchToEnd(Session& session, const std::string& job_id, std::int32_t after_sequence,
               bool return_at_held);

}  // namespace lumaedit::client::cli
