#include "client/cli/commands/upload.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/progress_bar.h"
#include "client/cli/session.h"
#include "client/cli/text.h"

namespace lumaedit::client::cli {
namespace {

std::vector<std::string> SourceLines(const v1::Source& source) {
  const double seconds = static_cast<double>(source.duration().seconds()) +
                         static_cast<double>(source.duration().nanos()) / 1e9;
  return {absl::StrFormat("%-14s %s", "source", Clean(source.id())),
          absl::StrFormat("%-14s %s", "size", Bytes(static_cast<double>(source.size_bytes()))),
          absl::StrFormat("%-14s %.3f s", "length", seconds),
          absl::StrFormat("%-14s %s", "kept until", TimeText(source.expire_time()))};
}

}  // namespace

CLI::App* AddUpload(CLI::App& app, Arguments& arguments) {
  UploadArguments& to = arguments.upload;
  CLI::App* upload = app.add_subcommand(
      "upload",
      "Upload a video for later edits; prints its source id.\n"
      "The id follows from the file (size, SHA-256 and media type), so the same command again "
      "goes on\nwith what is there: after a break, a kill of either side, or another day within "
      "its 24 hours.");
  upload->add_option("file", to.file, "The video")->required()->type_name("FILE");
  upload->add_option("--media-type", to.media_type, "Of the file; guessed from its extension")
      ->type_name("TYPE");
  upload
      ->add_option("--source-id", to.source_id,
                   "UUID of your own for it, instead of the one that follows from the file")
      ->type_name("UUID");
  upload
      ->add_option("--max-mb-per-second", to.most_mb_per_second,
                   "Most that is sent a second, in millions of bytes; unset = no limit")
      ->type_name("NUMBER")
      ->check(CLI::Range(0.001, 100000.0));
  AddGiveUpAfter(upload, arguments);
  return upload;
}

Result<v1::Source> UploadWithProgress(Session& session, const UploadArguments& upload) {
  const std::filesystem::path path(upload.file);
  std::error_code no_size;
  const std::uintmax_t size = std::filesystem::file_size(path, no_size);
  std::optional<ProgressBar> bar;
  bar.emplace(ProgressBar::Options{.what = path.filename().string(),
                                   .total = no_size ? 0 : static_cast<std::int64_t>(size),
                                   .quiet = session.arguments().json});
  std::optional<std::int64_t> sent;

  UploadOptions options;
  options.media_type = upload.media_type;
  options.source_id = upload.source_id;
  options.bytes_per_second = static_cast<std::int64_t>(upload.most_mb_per_second * 1e6);
  options.max_outage = session.arguments().give_up_after;
  options.stop = session.interrupt().token();
  options.on_progress = [&](const UploadProgress& progress) {
    if (progress.phase != UploadProgress::Phase::kSending) return;
    if (!sent.has_value() || progress.bytes < *sent) {
      bar->Start(progress.bytes);
    } else {
      bar->Set(progress.bytes);
    }
    sent = progress.bytes;
  };
  options.on_interrupted = [&](const ClientError& error, absl::Duration wait) {
    const LiveLine::Pause pause(bar->line());
    session.printer().Note(
        absl::StrCat(error.ToString(), "; going on in ",
                     absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(10)))));
  };
  Result<v1::Source> source = session.client().Upload(upload.file, std::move(options));
  if (source.ok()) bar->Finish();
  // What is said from here on stands below where the bar was.
  bar.reset();
  if (!source.ok() && sent.has_value() &&
      (session.interrupt().signal() != 0 || ExitCodeOf(source.error()) == kExitUnavailable)) {
    session.printer().Note("what has arrived is kept: the same command goes on there");
  }
  return source;
}

int RunUpload(Session& session) {
  const Result<v1::Source> source = UploadWithProgress(session, session.arguments().upload);
  if (!source.ok()) return session.Failed(source.error());
  session.printer().PrintMessage(*source, SourceLines(*source));
  return kExitOk;
}

}  // namespace lumaedit::client::cli
