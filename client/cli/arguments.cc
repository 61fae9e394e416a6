#include "client/cli/arguments.h"

#include <CLI/CLI.hpp>
#include <limits>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/cli/exit_code.h"
#include "client/job_state.h"

namespace lumaedit::client::cli {
namespace {

// CLI11 reports what a callback throws as the option's error.
[[noreturn]] void Refuse(const std::string& option, const std::string& why) {
  throw CLI::ValidationError(option, why);
}

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

// "hdr-exr-1080p" of an enum value OUTPUT_FORMAT_HDR_EXR_1080P.
std::string FlagWord(const std::string& name, absl::string_view prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", "-"}});
}

// The words of an enum, each with its value; zero (unset) is not among them.
template <typename Enum>
std::vector<std::pair<std::string, Enum>> WordsOf(
    const google::protobuf::EnumDescriptor* descriptor, absl::string_view prefix) {
  std::vector<std::pair<std::string, Enum>> words;
  for (int at = 0; at < descriptor->value_count(); ++at) {
    const auto* value = descriptor->value(at);
    if (value->number() == 0) continue;
    words.emplace_back(FlagWord(value->name(), prefix), static_cast<Enum>(value->number()));
  }
  return words;
}

template <typename Enum>
CLI::Option* AddEnum(CLI::App* app, const std::string& name, Enum* target,
                     const google::protobuf::EnumDescriptor* descriptor, absl::string_view prefix,
                     const std::string& help) {
  const auto words = WordsOf<Enum>(descriptor, prefix);
  std::string choices;
  for (const auto& [word, value] : words)
    absl::StrAppend(&choices, choices.empty() ? "" : ", ", word);
  return app
      ->add_option_function<std::string>(
          name,
          [=](const std::string& text) {
            const std::string wanted =
                absl::StrReplaceAll(absl::AsciiStrToLower(text), {{"_", "-"}});
            for (const auto& [word, value] : words) {
              if (word == wanted) {
                *target = value;
                return;
              }
            }
            Refuse(name, absl::StrCat("\"", text, "\" is none of ", choices));
          },
          absl::StrCat(help, ": ", choices))
      ->type_name("WORD");
}

CLI::Option* AddDuration(CLI::App* app, const std::string& name, const std::string& help,
                         absl::Duration least, absl::Duration most,
                         std::function<void(absl::Duration)> set) {
  return app
      ->add_option_function<std::string>(
          name, [=](const std::string& text) { set(ParseDuration(name, text, least, most)); }, help)
      ->type_name("TIME");
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

void AddConnection(CLI::App& app, Arguments& arguments) {
  ConnectionOptions& to = arguments.connection;
  app.add_option("--address", to.address, "The gateway, HOST:PORT")
      ->envname("LUMA_EDIT_ADDRESS")
      ->capture_default_str()
      ->group("Gateway");
  app.add_option("--tls-ca-file", to.tls_ca_file,
                 "Authority of the gateway's certificate, PEM; default: the system's")
      ->envname("LUMA_EDIT_TLS_CA_FILE")
      ->type_name("FILE")
      ->group("Gateway");
  app.add_option("--tls-cert-file", to.tls_cert_file, "Our certificate, PEM")
      ->envname("LUMA_EDIT_TLS_CERT_FILE")
      ->type_name("FILE")
      ->group("Gateway");
  app.add_option("--tls-key-file", to.tls_key_file, "Its private key, PEM")
      ->envname("LUMA_EDIT_TLS_KEY_FILE")
      ->type_name("FILE")
      ->group("Gateway");
  app.add_option("--tls-server-name", to.tls_server_name,
                 "Name in the gateway's certificate, when it is not the host of --address")
      ->envname("LUMA_EDIT_TLS_SERVER_NAME")
      ->type_name("NAME")
      ->group("Gateway");
  AddDuration(&app, "--connect-timeout", "How long to try to reach the gateway at first [10s]",
              absl::Milliseconds(100), absl::Hours(1),
              [&to](absl::Duration value) { to.connect_timeout = value; })
      ->envname("LUMA_EDIT_CONNECT_TIMEOUT")
      ->group("Gateway");
  AddDuration(&app, "--timeout", "Limit of a call, repeats included; a watch has none [30s]",
              absl::Milliseconds(100), absl::Hours(1),
              [&arguments](absl::Duration value) { arguments.timeout = value; })
      ->envname("LUMA_EDIT_TIMEOUT")
      ->group("Gateway");
  app.add_flag("--json", arguments.json,
               "One JSON object a line (protobuf JSON), on stdout; errors so on stderr")
      ->group("Output");
}

void AddWatching(CLI::App* app, Arguments& arguments) {
  AddDuration(app, "--heartbeat",
              "How often the gateway speaks when nothing happens, 5s to 60s [15s]",
              absl::Seconds(5), absl::Seconds(60),
              [&arguments](absl::Duration value) { arguments.heartbeat = value; })
      ->envname("LUMA_EDIT_HEARTBEAT")
      ->group("Watching");
  AddDuration(app, "--give-up-after",
              "How long the gateway may stay away before the watch ends [30m]", absl::Seconds(1),
              absl::Hours(24 * 30),
              [&arguments](absl::Duration value) { arguments.give_up_after = value; })
      ->envname("LUMA_EDIT_GIVE_UP_AFTER")
      ->group("Watching");
}

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
  auto* file = submit
                   ->add_option("--source", to.source_file,
                                "A video file, sent with the call: at most 4 MiB in all")
                   ->type_name("FILE")
                   ->excludes(generation)
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

  submit
      ->add_option_function<std::string>(
          "--max-price-usd",
          [&to](const std::string& text) {
            to.max_price_usd_micros = ParseUsdMicros(text);
            if (!to.max_price_usd_micros.has_value()) {
              Refuse("--max-price-usd", absl::StrCat("\"", text, "\" is no amount like 1.08"));
            }
          },
          "Refuse the job if it may cost more")
      ->envname("LUMA_EDIT_MAX_PRICE_USD")
      ->type_name("USD")
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

constexpr char kExamples[] =
    "Examples:\n"
    "  luma-edit submit --generation-id ID --prompt 'Night rain, neon' --watch\n"
    "  luma-edit watch JOB --after 3 --json\n"
    "  luma-edit list --state held --label team=film\n";

}  // namespace

std::optional<std::int64_t> ParseUsdMicros(absl::string_view text) {
  absl::ConsumePrefix(&text, "$");
  const std::size_t dot = text.find('.');
  const absl::string_view whole = text.substr(0, dot);
  std::string decimals(dot == absl::string_view::npos ? "" : text.substr(dot + 1));
  const auto digits = [](absl::string_view part) {
    return part.find_first_not_of("0123456789") == absl::string_view::npos;
  };
  if (whole.empty() || whole.size() > 9 || decimals.size() > 6 || !digits(whole) ||
      !digits(decimals) || (dot != absl::string_view::npos && decimals.empty())) {
    return std::nullopt;
  }
  decimals.resize(6, '0');
  std::int64_t dollars = 0;
  std::int64_t micros = 0;
  if (!absl::SimpleAtoi(whole, &dollars) || !absl::SimpleAtoi(decimals, &micros)) {
    return std::nullopt;
  }
  return dollars * 1000000 + micros;
}

std::variant<Arguments, ParseStop> ParseArguments(int argc, const char* const* argv) {
  Arguments arguments;
  CLI::App app("luma-edit: submit video edits to a Luma Edit Gateway, and watch them.",
               "luma-edit");
  app.require_subcommand(1);
  app.fallthrough();
  app.get_formatter()->column_width(32);
  app.set_version_flag("--version", std::string("luma-edit ") + LUMAEDIT_VERSION);
  AddConnection(app, arguments);

  std::map<const CLI::App*, Command> commands;
  commands[AddSubmit(app, arguments)] = Command::kSubmit;
  CLI::App* watch = app.add_subcommand("watch", "Follow a job's transitions to its end");
  watch->add_option("--after", arguments.after_sequence, "Only transitions after this number")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()))
      ->type_name("N")
      ->group("Watching");
  AddWatching(watch, arguments);
  CLI::App* get = app.add_subcommand("get", "Show a job as it is now");
  CLI::App* cancel = app.add_subcommand("cancel", "Cancel a job; says what it still costs");
  for (CLI::App* command : {watch, get, cancel}) {
    command->add_option("job", arguments.job_id, "The job's id")->required()->type_name("ID");
  }
  commands[watch] = Command::kWatch;
  commands[get] = Command::kGet;
  commands[AddList(app, arguments)] = Command::kList;
  commands[cancel] = Command::kCancel;
  for (const auto& [command, value] : commands) {
    const_cast<CLI::App*>(command)->footer(
        "Options of the gateway and of the output (--address, --json …): luma-edit --help\n");
  }
  app.footer(absl::StrCat("Every option of the gateway can be set by its variable LUMA_EDIT_….\n\n",
                          kExamples, "\n", ExitCodeHelp()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = app.exit(error, out, err);
    return ParseStop{code == 0 ? kExitOk : kExitUsage, code == 0 ? out.str() : err.str()};
  }
  arguments.command = commands.at(app.get_subcommands().front());
  return arguments;
}

}  // namespace lumaedit::client::cli
