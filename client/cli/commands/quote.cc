#include "client/cli/commands/quote.h"

#include <CLI/CLI.hpp>

#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/price_text.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

CLI::App* AddQuote(CLI::App& app, Arguments& arguments) {
  QuoteArguments& to = arguments.quote;
  CLI::App* quote = app.add_subcommand("quote", "What an edit would cost; spends nothing");
  CLI::Option_group* source = quote->add_option_group("Source (one of)");
  source->add_option("--generation-id", to.generation_id, "Id of an earlier generation")
      ->type_name("ID");
  source->add_option("--source-job", to.source_job_id, "The result of this job of yours")
      ->type_name("JOB");
  source->add_option("--source-id", to.source_id, "A video that was uploaded before")
      ->type_name("ID");
  source->require_option(1);
  AddEnum(quote, "--format", &to.format, v1::OutputFormat_descriptor(), "OUTPUT_FORMAT_",
          "Output format, unset = sdr-720p");
  AddDuration(quote, "--source-duration", "Length of the source, if the gateway cannot know it",
              absl::Milliseconds(1), absl::Hours(1),
              [&to](absl::Duration value) { to.source_duration = value; });
  return quote;
}

int RunQuote(Session& session) {
  const QuoteArguments& from = session.arguments().quote;
  v1::QuoteEditRequest request;
  v1::Edit& edit = *request.mutable_edit();
  if (!from.generation_id.empty()) edit.set_generation_id(from.generation_id);
  if (!from.source_job_id.empty()) edit.set_source_job_id(from.source_job_id);
  if (!from.source_id.empty()) edit.set_source_id(from.source_id);
  edit.set_output_format(from.format);
  if (from.source_duration.has_value()) {
    absl::Duration left = *from.source_duration;
    auto& declared = *request.mutable_declared_source_duration();
    declared.set_seconds(absl::IDivDuration(left, absl::Seconds(1), &left));
    declared.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(left)));
  }
  const Result<v1::QuoteEditResponse> quote = session.client().Quote(request, session.ForCall());
  if (!quote.ok()) return session.Failed(quote.error());
  session.printer().PrintMessage(*quote, QuoteLines(*quote));
  return kExitOk;
}

}  // namespace lumaedit::client::cli
