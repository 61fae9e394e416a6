#include "client/cli/arguments.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/commands/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"

namespace lumaedit::client::cli {
namespace {

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

constexpr char kExamples[] =
    "Examples:\n"
    "  luma-edit submit --generation-id ID --prompt 'Night rain, neon' --watch\n"
    "  luma-edit watch JOB --after 3 --json\n"
    "  luma-edit watch --all --label team=film\n"
    "  luma-edit list --state held\n";

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
  for (const CommandEntry& entry : AllCommands()) {
    CLI::App* command = entry.add(app, arguments);
    command->footer(
        "Options of the gateway and of the output (--address, --json …): luma-edit --help\n");
    commands[command] = entry.command;
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
