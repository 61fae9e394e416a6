#include "client/cli/commands/download.h"

#include <google/protobuf/struct.pb.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/download/downloader.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/session.h"
#include "client/cli/text.h"
#include "client/job_state.h"

namespace lumaedit::client::cli {
namespace {

// No outcome: why, and what to do.
int NothingToFetch(Session& session, const v1::Job& job) {
  const std::string state(StateName(job.state()));
  const int code = ExitCodeOf(job.state());
  if (job.has_end_time()) {
    session.printer().Note(absl::StrCat("the job is ", state, " and has no output"));
    return code == kExitOk ? static_cast<int>(kExitGone) : code;
  }
  session.printer().Note(absl::StrCat("the job is ", state, ": its output is there when it has ",
                                      "SUCCEEDED; to wait: luma-edit watch ", job.id()));
  return code == kExitOk ? static_cast<int>(kExitConflict) : code;
}

void PrintFile(Session& session, const std::string& file, std::int64_t bytes) {
  google::protobuf::Struct object;
  auto& fields = *object.mutable_fields();
  fields["file"].set_string_value(file);
  fields["bytes"].set_number_value(static_cast<double>(bytes));
  session.printer().PrintMessage(object, {Clean(file)});
}

int Failed(Session& session, const DownloadFailure& failure, const std::string& file) {
  if (session.interrupt().signal() != 0) {
    session.printer().Note(
        absl::StrCat("stopped; run the same command again to go on (", file, ".part)"));
    return 128 + session.interrupt().signal();
  }
  if (failure.error) {
    session.printer().Note("the address of the output is gone; a fresh one was asked for:");
    return session.Failed(*failure.error);
  }
  session.printer().PrintError(
      LocalError(absl::StatusCode::kUnavailable, absl::StrCat(file, ": ", failure.text)));
  if (failure.exit_code == kExitUnavailable || failure.exit_code == kExitOutput) {
    session.printer().Note("what came is kept; run the same command again to go on");
  }
  return failure.exit_code;
}

}  // namespace

CLI::App* AddDownload(CLI::App& app, Arguments& arguments) {
  DownloadArguments& to = arguments.download;
  CLI::App* download = app.add_subcommand("download", "Fetch a job's video and its further files");
  download
      ->add_option("-o,--output", to.file,
                   "Where the video goes; further files (EXR) go beside it, with their extension")
      ->required()
      ->type_name("FILE");
  download->add_flag("--video-only", to.video_only, "Leave further files out");
  download
      ->add_option("--output-ca-file", to.ca_file,
                   "Authority of the output server's certificate, PEM; default: the system's")
      ->envname("LUMA_EDIT_OUTPUT_CA_FILE")
      ->type_name("FILE");
  AddJobId(download, arguments);
  return download;
}

int RunDownload(Session& session) {
  const DownloadArguments& from = session.arguments().download;
  const std::string& job_id = session.arguments().job_id;
  const Result<v1::Job> job = session.client().Get(job_id, session.ForCall());
  if (!job.ok()) return session.Failed(job.error());
  if (job->outcome().video_url().empty()) return NothingToFetch(session, *job);

  DownloadOptions options;
  options.ca_file = from.ca_file;
  options.quiet = session.arguments().json;
  options.stop = session.interrupt().token();
  options.note = [&session](LiveLine* line, const std::string& text) {
    Printer(std::cout, std::cerr, session.arguments().json, line).Note(text);
  };
  options.refresh = [&session, &job_id]() -> Result<v1::Outcome> {
    Result<v1::Job> fresh = session.client().Refresh(job_id, session.ForCall());
    if (!fresh.ok()) return fresh.error();
    return std::move(*fresh->mutable_outcome());
  };
  Downloader downloader(job->outcome(), options);
  std::vector<std::string> files;
  const int further = from.video_only ? 0 : job->outcome().other_urls_size();
  for (int index = 0; index <= further; ++index) {
    const std::string file =
        index == 0 ? from.file : NameBeside(from.file, job->outcome().other_urls(index - 1), files);
    if (const auto failure = downloader.Fetch(index, file)) return Failed(session, *failure, file);
    files.push_back(file);
    PrintFile(session, file, downloader.bytes());
  }
  return kExitOk;
}

}  // namespace lumaedit::client::cli
