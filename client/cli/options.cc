#include "client/cli/options.h"

#include <optional>

#include "absl/strings/strip.h"

namespace lumaedit::client::cli {
namespace {

absl::Duration ParseDuration(const std::string& option, const std::string& text,
                             absl::Duration least, absl::Duration most) {
  absl::Duration value;
  if (!absl::ParseDuration(text, &value)) {
    Refuse(option, absl::StrCat("\"", text, "\" is no duration; write 90s, 2.5s, 15m or 1h30m"));
  }
  if (value < least || value > most) {
    Refuse(option, absl::StrCat("must be from ", absl::FormatDuration(least), " to ",
                                absl::FormatDuration(most)));
  }
  return value;
}

}  // namespace

// CLI11 reports what a callback throws as the option's error.
void Refuse(const std::string& option, const std::string& why) {
  throw CLI::ValidationError(option, why);
}

std::string FlagWord(const std::string& name, absl::string_view prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", "-"}});
}

CLI::Option* AddDuration(CLI::App* app, const std::string& name, const std::string& help,
                         absl::Duration least, absl::Duration most,
                         std::function<void(absl::Duration)> set) {
  return app
      ->add_option_function<std::string>(
          name, [=](const std::string& text) { set(ParseDuration(name, text, least, most)); }, help)
      ->type_name("TIME");
}

CLI::Option* AddUsd(CLI::App* app, const std::string& name, const std::string& help,
                    std::function<void(std::int64_t usd_micros)> set) {
  return app
      ->add_option_function<std::string>(
          name,
          [=](const std::string& text) {
            const std::optional<std::int64_t> usd_micros = ParseUsdMicros(text);
            if (!usd_micros.has_value()) {
              Refuse(name, absl::StrCat("\"", text, "\" is no amount like 1.08"));
            }
            set(*usd_micros);
          },
          help)
      ->type_name("USD");
}

void AddLabels(CLI::App* app, Arguments& arguments, const std::string& help) {
  app->add_option_function<std::vector<std::string>>(
         "--label",
         [&arguments](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             const std::size_t equals = text.find('=');
             if (equals == std::string::npos || equals == 0) {
               Refuse("--label", absl::StrCat("\"", text, "\" is not KEY=VALUE"));
             }
             if (!arguments.labels.emplace(text.substr(0, equals), text.substr(equals + 1))
                      .second) {
               Refuse("--label", absl::StrCat("\"", text.substr(0, equals), "\" is given twice"));
             }
           }
         },
         help)
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

void AddGiveUpAfter(CLI::App* app, Arguments& arguments) {
  AddDuration(app, "--give-up-after",
              "How long the gateway may stay away before the command ends [30m]", absl::Seconds(1),
              absl::Hours(24 * 30),
              [&arguments](absl::Duration value) { arguments.give_up_after = value; })
      ->envname("LUMA_EDIT_GIVE_UP_AFTER");
}

void AddWatching(CLI::App* app, Arguments& arguments) {
  AddDuration(app, "--heartbeat",
              "How often the gateway speaks when nothing happens, 5s to 60s [15s]",
              absl::Seconds(5), absl::Seconds(60),
              [&arguments](absl::Duration value) { arguments.heartbeat = value; })
      ->envname("LUMA_EDIT_HEARTBEAT")
      ->group("Watching");
  AddGiveUpAfter(app, arguments);
  app->get_option("--give-up-after")->group("Watching");
}

CLI::Option* AddJobId(CLI::App* app, Arguments& arguments) {
  return app->add_option("job", arguments.job_id, "The job's id")->required()->type_name("ID");
}

}  // namespace lumaedit::client::cli
