#include "client/cli/commands/list.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/cli/session.h"

namespace lumaedit::client::cli {

CLI::App* AddList(CLI::App& app, Arguments& arguments) {
  CLI::App* list = app.add_subcommand("list", "List jobs, newest first");
  list->add_option_function<std::vector<std::string>>(
          "--state",
          [&arguments](const std::vector<std::string>& texts) {
            const auto words = WordsOf<v1::Job::State>(v1::Job::State_descriptor(), "STATE_");
            for (const std::string& text : texts) {
              const std::size_t before = arguments.list.states.size();
              for (const auto& [word, value] : words) {
                if (word == absl::AsciiStrToLower(text)) arguments.list.states.push_back(value);
              }
              if (arguments.list.states.size() == before) {
                Refuse("--state", absl::StrCat("\"", text, "\" is no state"));
              }
            }
          },
          "Only jobs in this state, may be repeated: pending, submitting, unconfirmed, held, "
          "queued, processing, succeeded, failed, cancelled, expired")
      ->type_name("STATE")
      ->allow_extra_args(false);
  AddLabels(list, arguments, "Only jobs with this label, may be repeated");
  list->add_option("--limit", arguments.list.limit, "At most so many jobs, 0 = all")
      ->check(CLI::Range(0, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
  list->add_option_function<std::string>(
          "--created-after",
          [&arguments](const std::string& text) {
            absl::Duration ago;
            absl::Time time;
            std::string error;
            if (absl::ParseDuration(text, &ago)) {
              arguments.list.created_after = absl::Now() - ago;
            } else if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
              arguments.list.created_after = time;
            } else {
              Refuse("--created-after", absl::StrCat("\"", text,
                                                     "\" is neither 2026-01-31T12:00:00Z nor a "
                                                     "time ago like 2h"));
            }
          },
          "Only jobs made after this time, or in the last 2h")
      ->type_name("TIME");
  return list;
}

int RunList(Session& session) {
  constexpr int kPage = 500;
  const ListArguments& from = session.arguments().list;
  v1::ListJobsRequest request;
  for (const v1::Job::State state : from.states) request.add_states(state);
  request.mutable_labels()->insert(session.arguments().labels.begin(),
                                   session.arguments().labels.end());
  if (from.created_after.has_value()) {
    const std::int64_t nanos = absl::ToUnixNanos(*from.created_after);
    request.mutable_created_after()->set_seconds(nanos / 1000000000);
    request.mutable_created_after()->set_nanos(static_cast<std::int32_t>(nanos % 1000000000));
  }
  int printed = 0;
  do {
    request.set_page_size(from.limit == 0 ? kPage : std::min(kPage, from.limit - printed));
    const Result<v1::ListJobsResponse> page = session.client().List(request, session.ForCall());
    if (!page.ok()) return session.Failed(page.error());
    for (const v1::Job& job : page->jobs()) {
      if (from.limit != 0 && printed == from.limit) return kExitOk;
      session.printer().PrintListed(job);
      ++printed;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && (from.limit == 0 || printed < from.limit));
  return kExitOk;
}

}  // namespace lumaedit::client::cli
