#include "client/cli/commands/report.h"

#include <CLI/CLI.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/job_report.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {
namespace {

// "2026-11". Unset for anything else.
std::optional<absl::CivilMonth> ParseMonth(const std::string& text) {
  absl::CivilMonth month;
  // Only the one form: a day in it would be dropped.
  if (text.size() != 7 || !absl::ParseCivilTime(text, &month)) return std::nullopt;
  return month;
}

void SetTime(absl::CivilMonth month, google::protobuf::Timestamp* to) {
  to->set_seconds(absl::ToUnixSeconds(absl::FromCivil(month, absl::UTCTimeZone())));
}

}  // namespace

CLI::App* AddReport(CLI::App& app, Arguments& arguments) {
  ReportArguments& to = arguments.report;
  CLI::App* report = app.add_subcommand("report", "What a month's jobs cost, by a label");
  report->add_option("--by", to.label, "The label whose values are the rows")
      ->required()
      ->type_name("LABEL");
  report
      ->add_option_function<std::string>(
          "--month",
          [&to](const std::string& text) {
            if (!ParseMonth(text)) {
              Refuse("--month", absl::StrCat("\"", text, "\" is no month like 2026-11"));
            }
            to.month = text;
          },
          "Jobs made in this month, UTC [the current one]")
      ->type_name("YYYY-MM");
  return report;
}

int RunReport(Session& session) {
  constexpr int kPage = 500;
  const ReportArguments& from = session.arguments().report;
  const absl::CivilMonth month =
      ParseMonth(from.month).value_or(absl::ToCivilMonth(absl::Now(), absl::UTCTimeZone()));
  v1::ListJobsRequest request;
  request.set_page_size(kPage);
  SetTime(month, request.mutable_created_after());
  SetTime(month + 1, request.mutable_created_before());
  JobReport report(from.label, absl::FormatCivilTime(month));
  do {
    const Result<v1::ListJobsResponse> page = session.client().List(request, session.ForCall());
    if (!page.ok()) return session.Failed(page.error());
    for (const v1::Job& job : page->jobs()) report.Add(job);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  session.printer().PrintLines(session.arguments().json ? report.Json() : report.Table());
  return kExitOk;
}

}  // namespace lumaedit::client::cli
