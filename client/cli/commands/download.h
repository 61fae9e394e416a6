// `luma-edit download`: fetches a job's video, and what further files its outcome has.
#pragma once

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct DownloadArguments {
  std::string file;
  bool video_only = false;
  std::string ca_file;  // empty = the system's authorities
};

// The command's options, into `arguments`.
CLI::App* AddDownload(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunDownload(Session& session);

}  // namespace lumaedit::client::cli
