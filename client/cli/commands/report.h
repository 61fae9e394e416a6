// `luma-edit report`: what a month's jobs cost, by the value of a label.
#pragma once

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct ReportArguments {
  std::string label;
  std::string month;  // "2026-11"; empty = the current one, UTC
};

// The command's options, into `arguments`.
CLI::App* AddReport(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunReport(Session& session);

}  // namespace lumaedit::client::cli
