#include "client/cli/commands/submit.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands/upload.h"
#include "client/cli/commands/watch.h"
#include "client/cli/edit_request.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

CLI::App* AddSubmit(CLI::App& app, Arguments& arguments) {
  SubmitArguments& to = arguments.submit;
  CLI::App* submit = app.add_subcommand("submit", "Submit an edit; prints the job");
  auto* prompt = submit->add_option("--prompt", to.prompt, "How to transform the video")
                     ->type_name("TEXT")
                     ->group("Edit");
  submit->add_option("--prompt-file", to.prompt_file, "The same, read from a file (- = stdin)")
      ->type_name("FILE")
      ->excludes(prompt)
      ->group("Edit");
  AddEnum(submit, "--format", &to.format, v1::OutputFormat_descriptor(), "OUTPUT_FORMAT_",
          "Output format, unset = sdr-720p")
      ->group("Edit");
  submit->add_option("--start-frame-url", to.start_frame_url, "A guide frame: JPEG, PNG or WebP")
      ->type_name("URL")
      ->group("Edit");

  auto* generation =
      submit->add_option("--generation-id", to.generation_id, "Id of an earlier generation")
          ->type_name("ID")
          ->group("Source (one of)");
  auto* job = submit
                  ->add_option("--source-job", to.source_job_id,
                               "The result of this job of yours, which has SUCCEEDED")
                  ->type_name("JOB")
                  ->excludes(generation)
                  ->group("Source (one of)");
  auto* source_id = submit
                        ->add_option("--source-id", to.source_id,
                                     "A video that was uploaded before (luma-edit upload)")
                        ->type_name("ID")
                        ->excludes(generation)
                        ->excludes(job)
                        ->group("Source (one of)");
  auto* file =
      submit
          ->add_option("--source", to.source_file,
                       "A video file: sent with the call when it fits (4 MiB in all), else "
                       "uploaded first. A repeat goes on with the upload")
          ->type_name("FILE")
          ->excludes(generation)
          ->excludes(job)
          ->excludes(source_id)
          ->group("Source (one of)");
  submit->add_option("--media-type", to.media_type, "Of --source; guessed from its extension")
      ->type_name("TYPE")
      ->needs(file)
      ->group("Source (one of)");

  const std::string manual = "Manual conditioning (none of these = automatic)";
  AddEnum(submit, "--strength", &to.strength, v1::ManualConditioning::Strength_descriptor(),
          "STRENGTH_", "How much is preserved")
      ->group(manual);
  AddEnum(submit, "--pose", &to.pose, v1::ManualConditioning::Pose_descriptor(), "POSE_",
          "Pose conditioning")
      ->group(manual);
  submit->add_option("--depth-blur", to.depth_blur, "0 to 1")->group(manual);
  submit->add_option("--normals-augmentation", to.normals_augmentation, "0 to 1")->group(manual);
  submit->add_option("--trajectory-sparsity", to.trajectory_sparsity, "0 to 1")->group(manual);
  submit->add_flag("--face", to.face, "Keep the faces' identity")->group(manual);

  AddUsd(submit, "--max-price-usd", "Refuse the job if it may cost more",
         [&to](std::int64_t usd_micros) { to.max_price_usd_micros = usd_micros; })
      ->envname("LUMA_EDIT_MAX_PRICE_USD")
      ->group("Money and time");
  AddDuration(submit, "--source-duration", "Length of the source, if the gateway cannot know it",
              absl::Milliseconds(1), absl::Hours(1),
              [&to](absl::Duration value) { to.source_duration = value; })
      ->group("Money and time");
  AddDuration(submit, "--start-within", "Fail the job, free of charge, if not sent by then",
              absl::Milliseconds(1), absl::Hours(24 * 365),
              [&to](absl::Duration value) { to.start_within = value; })
      ->group("Money and time");
  submit
      ->add_option("--request-id", to.request_id,
                   "UUID of this submission: a repeat returns the same job. Default: a new one")
      ->type_name("UUID")
      ->group("Job");
  AddLabels(submit, arguments, "A label, may be repeated");
  submit->get_option("--label")->group("Job");
  submit->add_flag("--watch", to.watch, "Watch the job to its end, or until it is HELD")
      ->group("Watching");
  AddWatching(submit, arguments);
  return submit;
}

int RunSubmit(Session& session) {
  Result<v1::SubmitEditRequest> request = MakeSubmitRequest(session.arguments());
  if (!request.ok()) return session.Failed(request.error());
  const std::string request_id = request->request_id();
  if (NeedsUpload(session.arguments(), *request)) {
    const SubmitArguments& from = session.arguments().submit;
    const Result<v1::Source> source =
        UploadWithProgress(session, {.file = from.source_file, .media_type = from.media_type});
    if (!source.ok()) return session.Failed(source.error());
    request->mutable_edit()->set_source_id(source->id());
  }
  const Result<v1::Job> job = session.client().Submit(std::move(*request), session.ForCall());
  if (!job.ok()) {
    const int code = session.Failed(job.error());
    if (code == kExitUnavailable || session.interrupt().signal() != 0) {
      session.printer().Note(
          absl::StrCat("the job may have been accepted. To find out, repeat the command "
                       "with --request-id ",
                       request_id, ": it makes one job, and is billed at most once"));
    }
    return code;
  }
  session.printer().PrintJob(*job);
  if (!session.arguments().submit.watch) return kExitOk;
  return WatchToEnd(session, job->id(), 0, /*return_at_held=*/true);
}

}  // namespace lumaedit::client::cli
