// `luma-edit upload`: puts a video where the gateway can send it from, with a progress bar.
#pragma once

#include <string>

#include "client/result.h"
#include "lumaedit/v1/source.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct UploadArguments {
  std::string file = {};
  std::string media_type = {};    // empty = guessed from the file's extension
  std::string source_id = {};     // empty = follows from the file
  double most_mb_per_second = 0;  // 0 = no limit
};

// The command's options, into `arguments`.
CLI::App* AddUpload(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunUpload(Session& session);

// What `upload` and `submit --source` have in common: uploads with a progress bar on stderr, and
// says how to go on when it was interrupted.
Result<v1::Source> UploadWithProgress(Session& session, const UploadArguments& upload);

}  // namespace lumaedit::client::cli
