// `luma-edit quote`: what an edit would cost. Spends nothing.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "lumaedit/v1/edit.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct QuoteArguments {
  std::string generation_id;
  std::string source_job_id;
  std::string source_id;
  v1::OutputFormat format = v1::OUTPUT_FORMAT_UNSPECIFIED;
  std::optional<absl::Duration> source_duration;
};

// The command's options, into `arguments`.
CLI::App* AddQuote(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunQuote(Session& session);

}  // namespace lumaedit::client::cli
