#include "server/app/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/app/key_file.h"
#include "server/app/tls_files.h"
#include "server/app/version.h"

namespace lumaedit {
namespace {

constexpr char kKeyVariable[] = "GMI_API_KEY";

class Errors {
 public:
  void Add(const std::string& name, const std::string& what) {
    if (what.empty()) return;
    texts_.push_back(absl::StrCat("--", name, ": ", what));
    names_.insert(name);
  }
  void AddLine(std::string text) { texts_.push_back(std::move(text)); }
  std::vector<std::string> Take() { return std::move(texts_); }
  bool empty() const { return texts_.empty(); }
  // Something is wrong with this setting already: what builds on it is not looked at.
  bool Has(const std::string& name) const { return names_.count(name) > 0; }

 private:
  std::vector<std::string> texts_;
  std::set<std::string> names_;
};

std::string WhyNotAFolderToWrite(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return absl::StrCat("there is no folder '", path, "'");
  if (!S_ISDIR(info.st_mode)) return absl::StrCat("'", path, "' is not a folder");
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    return absl::StrCat("'", path, "' cannot be written to");
  }
  return "";
}

std::string ParentOf(const std::string& path) {
  auto plain = std::filesystem::path(path);
  if (!plain.has_filename()) plain = plain.parent_path();
  const std::string parent = plain.parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string WhyNotABaseUrl(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  if (!url || url->host().empty()) return absl::StrCat("'", text, "' is no URL with a host");
  // The key goes out with every request, so the connection is never plain (hardening.md section 3).
  if (url->scheme_id() != boost::urls::scheme::https) return "the URL must be https";
  // Boost.URL 1.81 takes 127.0.0.1.example.com for the address 127.0.0.1 and a path.
  if (!url->encoded_path().empty() && url->encoded_path().front() != '/') {
    return "the host is neither a name nor an address";
  }
  // Not echoed: whoever puts a secret into a URL puts it there.
  if (url->has_userinfo() || url->has_query() || url->has_fragment()) {
    return "the URL must have no user name, no query and no fragment";
  }
  return "";
}

void ReadKey(Config::Asking& asking, Errors& errors) {
  const char* variable = std::getenv(kKeyVariable);
  const bool has_variable = variable != nullptr && *variable != '\0';
  if (asking.api_key_file.empty() && !has_variable) {
    errors.Add("gmi-api-key-file", absl::StrCat("needed, unless ", kKeyVariable, " is set"));
    return;
  }
  const auto key =
      asking.api_key_file.empty() ? CheckedKey(variable) : ReadKeyFile(asking.api_key_file);
  if (key.ok()) {
    asking.api_key = *key;
  } else if (asking.api_key_file.empty()) {
    errors.AddLine(absl::StrCat(kKeyVariable, ": ", key.status().message()));
  } else {
    errors.Add("gmi-api-key-file", std::string(key.status().message()));
  }
}

void ReadPreviousKey(Config::Asking& asking, Errors& errors) {
  if (asking.previous_api_key_file.empty()) return;
  const auto key = ReadKeyFile(asking.previous_api_key_file);
  if (key.ok()) {
    asking.previous_api_key = *key;
  } else {
    errors.Add("gmi-previous-api-key-file", std::string(key.status().message()));
  }
}

void CheckTls(const Config::Listening& listening, Errors& errors) {
  const bool has_cert = !listening.tls_cert_file.empty();
  const bool has_key = !listening.tls_key_file.empty();
  const bool has_ca = !listening.client_ca_file.empty();
  if (has_cert && !has_key) errors.Add("tls-key-file", "needed with --tls-cert-file");
  if (has_key && !has_cert) errors.Add("tls-cert-file", "needed with --tls-key-file");
  if (has_cert && !has_ca) errors.Add("client-ca-file", "needed with --tls-cert-file");
  if (has_ca && !has_cert) errors.Add("client-ca-file", "has no effect without --tls-cert-file");
  const bool pair_is_readable = !errors.Has("tls-cert-file") && !errors.Has("tls-key-file");
  if (has_cert && has_key && pair_is_readable) {
    errors.Add("tls-cert-file", WhyNotAServerPair(listening.tls_cert_file, listening.tls_key_file));
  }
  if (has_ca && !errors.Has("client-ca-file")) {
    errors.Add("client-ca-file", WhyNotACaFile(listening.client_ca_file));
  }
  // The packaged gRPC falls to anybody who may speak HTTP/2 to it (hardening.md section 2).
  if (!listening.address.IsLoopback() && !(has_cert && has_key && has_ca)) {
    errors.Add("listen", absl::StrCat("off loopback (", listening.address.ToString(),
                                      ") this needs --tls-cert-file, --tls-key-file and "
                                      "--client-ca-file"));
  }
}

// Nobody means to spend without a limit who has not said so.
std::optional<std::int64_t> DailyLimitOf(const Config& config) {
  constexpr std::int64_t kUsualMicros = 100'000'000;
  if (config.spend_limit_usd_per_day) {
    if (*config.spend_limit_usd_per_day == 0) return std::nullopt;
    return config.spend_limit_usd_per_day;
  }
  const auto url = boost::urls::parse_uri(config.asking.base_url);
  std::string host = url ? std::string(url->encoded_host()) : std::string();
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  }
  // A simulator on this machine costs nothing.
  if (Address{host, 0}.IsLoopback()) return std::nullopt;
  return kUsualMicros;
}

// What no setting can see by itself.
void CheckTogether(Config& config, Errors& errors) {
  const auto& listening = config.listening;
  if (listening.address.empty()) errors.Add("listen", "must not be empty");
  if (!errors.Has("listen")) CheckTls(listening, errors);
  if (!listening.health_address.empty() && listening.address.port != 0 &&
      listening.health_address.port == listening.address.port) {
    errors.Add("health-listen", "needs another port than --listen");
  }
  // Whoever reaches it may stop the sending.
  if (!listening.admin_address.empty() && !listening.admin_address.IsLoopback()) {
    errors.Add("admin-listen", "must be an address of this machine alone, such as 127.0.0.1:8444");
  }

  const std::string& folder = config.storing.data_dir;
  if (folder.empty()) {
    errors.Add("data-dir", "needed: the folder that keeps the jobs");
  } else if (access(folder.c_str(), F_OK) == 0) {
    errors.Add("data-dir", WhyNotAFolderToWrite(folder));
  } else {
    errors.Add("data-dir", WhyNotAFolderToWrite(ParentOf(folder)));
  }
  if (!config.running.ready_file.empty()) {
    errors.Add("ready-file", WhyNotAFolderToWrite(ParentOf(config.running.ready_file)));
  }

  errors.Add("upstream-base-url", WhyNotABaseUrl(config.asking.base_url));
  if (!config.asking.ca_file.empty() && !errors.Has("upstream-ca-file")) {
    errors.Add("upstream-ca-file", WhyNotACaFile(config.asking.ca_file));
  }
  if (!errors.Has("gmi-api-key-file")) ReadKey(config.asking, errors);
  if (!errors.Has("gmi-previous-api-key-file")) ReadPreviousKey(config.asking, errors);

  config.budget.daily_limit_usd_micros = DailyLimitOf(config);
  config.budget.window = config.budget_window == "day" ? BudgetWindow::kDay : BudgetWindow::kMonth;
  auto& engine = config.engine;
  engine.reconcile.retry_capacity_refusal = config.on_capacity_refusal == "retry";
  if (engine.dispatch.pause_first > engine.dispatch.pause_most) {
    errors.Add("pause-first", "must not be longer than --pause-most");
  }
  if (engine.dispatch.unclear_pause_first > engine.dispatch.unclear_pause_most) {
    errors.Add("doubt-pause-first", "must not be longer than --doubt-pause-most");
  }
  if (engine.retention.request_ids < engine.retention.jobs) {
    errors.Add("request-id-retention", "must not be shorter than --retention");
  }
  if (engine.reconcile.confirm_window < engine.reconcile.visibility) {
    errors.Add("confirm-window",
               "must not be shorter than --visibility-time: whatever is in doubt would be HELD "
               "before its record must show");
  }
  if (engine.poll.first > engine.poll.most) {
    errors.Add("poll-first", "must not be longer than --poll-most");
  }
}

// From the back. "--name=" becomes two arguments, since CLI11 would take the next one as the value.
std::vector<std::string> AsCli11Takes(const std::vector<std::string>& arguments) {
  std::vector<std::string> taken;
  for (auto it = arguments.rbegin(); it != arguments.rend(); ++it) {
    const bool is_empty = absl::StartsWith(*it, "--") && absl::EndsWith(*it, "=");
    if (is_empty) taken.emplace_back();
    taken.push_back(is_empty ? it->substr(0, it->size() - 1) : *it);
  }
  return taken;
}

std::string PrintSettings(const Config& config, const SettingList& list) {
  std::string text;
  std::string group;
  for (const Setting& setting : list.all()) {
    if (setting.group != group) {
      group = setting.group;
      absl::StrAppend(&text, text.empty() ? "" : "\n", "# ", group, "\n");
    }
    absl::StrAppend(&text, setting.name, " = \"", setting.print(), "\"\n");
  }
  // Shows that there is one; never what it is.
  std::ostringstream key;
  key << config.asking.api_key;
  absl::StrAppend(&text, "# API key: ", key.str(), "\n");
  return text;
}

}  // namespace

LogLevel Config::LeastLogLevel() const {
  if (running.log_level == "debug") return LogLevel::kDebug;
  if (running.log_level == "warning") return LogLevel::kWarning;
  if (running.log_level == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

SettingList SettingsOf(Config& config) {
  SettingList list;
  list.Group("Listening");
  list.Listen("listen", &config.listening.address,
              "Where the API is served. Anything but loopback needs TLS with client certificates");
  list.Listen("health-listen", &config.listening.health_address,
              "A plaintext port for probes (health and reflection only). Empty: none");
  list.Listen(
      "admin-listen", &config.listening.admin_address,
      "HTTP for who runs it: metrics, status, pause, resume, adopt. Loopback only. Empty: none");
  list.File("tls-cert-file", &config.listening.tls_cert_file,
            "PEM certificate chain of the server. Empty: no TLS");
  list.File("tls-key-file", &config.listening.tls_key_file, "PEM key of --tls-cert-file");
  list.File("client-ca-file", &config.listening.client_ca_file,
            "PEM certificates that must have signed a client's certificate");

  list.Group("Calls");
  list.Duration("heartbeat", &config.rpc.usual_heartbeat, config.rpc.least_heartbeat,
                config.rpc.most_heartbeat,
                "A watch without a message for so long gets a heartbeat, unless its caller says");
  list.Duration("stream-age", &config.rpc.stream_age, absl::Seconds(1), absl::Hours(24),
                "A watch ends STREAM_ROTATED at this age, give or take a tenth");
  list.Duration("stalled-write", &config.rpc.stalled_write, absl::Seconds(1), absl::Hours(1),
                "A watch whose reader takes no message for so long is ended");
  list.Integer("watches-per-connection", &config.rpc.watches_per_connection, 1, 10000,
               "Watches of one connection; more are refused");
  list.Integer("watches-per-caller", &config.rpc.watches_per_caller, 1, 1'000'000,
               "Watches of one caller; more are refused");
  list.Integer("watches", &config.rpc.most_watches, 1, 1'000'000,
               "Watches at a time; more are told to come back");

  list.Group("Storing");
  list.Text("data-dir", &config.storing.data_dir, "folder, made if its parent exists",
            "Keeps jobs and sources. One process at a time. Required");
  list.Integer("store-threads", &config.storing.threads, 4, 256, "Calls in the store at a time");
  list.Integer("store-queue", &config.storing.queue, 16, 1000000,
               "Calls that may wait for the store; more are refused");

  list.Group("Sources");
  list.Integer("largest-source-mb", &config.sources.largest_mb, 1, 10'000,
               "Largest video that may be uploaded, in millions of bytes");
  list.Duration("longest-source", &config.rpc.validation.longest_source, absl::Seconds(1),
                absl::Seconds(30), "A source known to be longer is refused");
  list.Integer("source-quota-mb", &config.sources.quota_mb, 1, 10'000'000,
               "Stored sources of one caller, in millions of bytes");
  list.Integer("sources-per-caller", &config.sources.most_per_caller, 1, 1'000'000,
               "Stored sources of one caller");
  list.Duration("source-kept", &config.engine.house.source_kept, absl::Hours(2), absl::Hours(720),
                "How long a source stays after its upload, or after a job needed it");
  list.Integer("uploads", &config.rpc.most_uploads, 1, 1000,
               "Uploads at a time; more are told to come back");
  list.Integer("uploads-per-caller", &config.rpc.uploads_per_caller, 1, 1000,
               "Uploads of one caller at a time; more are refused");
  list.Duration("upload-silence", &config.rpc.upload_silence, absl::Seconds(1), absl::Hours(1),
                "An upload that sends nothing for so long is ended; it can go on");
  list.Integer("upload-threads", &config.sources.upload_threads, 1, 64,
               "Pieces of uploads written at a time");

  list.Group("Upstream");
  list.Text("upstream-base-url", &config.asking.base_url, "https URL",
            "The request queue, without a trailing /requests");
  list.File("upstream-ca-file", &config.asking.ca_file,
            "PEM certificates that the upstream is judged by. Empty: the system's");
  list.File("gmi-api-key-file", &config.asking.api_key_file,
            "File with the upstream's API key. Empty: the variable GMI_API_KEY");
  list.File(
      "gmi-previous-api-key-file", &config.asking.previous_api_key_file,
      "File with the API key that was used before, if it is of another account: jobs sent with "
      "it are asked about with it. Empty: none");

  list.Group("Money");
  list.Usd("default-budget-usd", &config.budget.limit_usd_micros,
           "Most that a caller's jobs may cost in a window. 0: nothing. Empty: no limit");
  list.Choice("budget-window", &config.budget_window, {"day", "month"},
              "The window of a budget, of the calendar in UTC");
  list.Usd(
      "spend-limit-usd-per-day", &config.spend_limit_usd_per_day,
      "Most that the jobs of all callers together may cost in a day, in UTC. 0: no limit. Empty: "
      "100, and no limit where the upstream is on this machine");

  list.Group("Jobs");
  DispatchSettings& dispatch = config.engine.dispatch;
  PollSettings& poll = config.engine.poll;
  ReconcileSettings& reconcile = config.engine.reconcile;
  list.Integer("posts-in-flight", &dispatch.posts_in_flight, 1, 64,
               "POSTs to the upstream at a time");
  list.Duration("answer-wait", &dispatch.answer_wait, absl::Seconds(1), absl::Seconds(330),
                "How long the answer to a POST is awaited before its job is UNCONFIRMED");
  list.Integer("most-refusals", &dispatch.most_refusals, 1, 10000,
               "So many refused POSTs end a job as FAILED");
  list.Duration("pause-first", &dispatch.pause_first, absl::Milliseconds(100), absl::Hours(1),
                "Pause of dispatch after an answer that perhaps refuses everybody");
  list.Duration("pause-most", &dispatch.pause_most, absl::Milliseconds(100), absl::Hours(1),
                "What that pause doubles to");
  list.Duration("doubt-pause-first", &dispatch.unclear_pause_first, absl::Milliseconds(100),
                absl::Hours(1), "Pause of dispatch after three answers in a row that left a doubt");
  list.Duration("doubt-pause-most", &dispatch.unclear_pause_most, absl::Milliseconds(100),
                absl::Hours(1), "What that pause doubles to");
  list.Number(
      "poll-rate", &poll.requests_per_second, 0.1, 1000,
      "Most polls of the upstream a second, over all jobs; the search for jobs in doubt is not "
      "counted");
  list.Duration("poll-first", &poll.first, absl::Milliseconds(50), absl::Minutes(10),
                "Wait before the first poll of a job; grows by 1.3");
  list.Duration("poll-most", &poll.most, absl::Milliseconds(50), absl::Minutes(10),
                "What that wait grows to");
  list.Integer("list-polls-from", &poll.list_from, 0, 1000000,
               "With so many running jobs, pages of the upstream's list serve many of them at "
               "once. 0: never");
  list.Duration("job-deadline", &poll.job_deadline, absl::Seconds(1), absl::Hours(720),
                "How long after its acceptance an unfinished job becomes EXPIRED");
  list.Duration("stalled-after", &poll.stalled_after, absl::Seconds(1), absl::Hours(24),
                "How long a QUEUED job may stay unchanged before it shows as stalled");
  list.Duration("output-wait", &poll.output_wait, absl::Seconds(1), absl::Hours(1),
                "How long a success without a video URL is asked again");
  list.Duration("confirm-window", &reconcile.confirm_window, absl::Seconds(1), absl::Hours(24),
                "How long an unclear POST is looked for before its job is HELD");
  list.Duration("visibility-time", &reconcile.visibility, absl::Seconds(1), absl::Hours(1),
                "Within this an accepted record shows in the upstream's list");
  list.Duration("held-interval", &reconcile.held_interval, absl::Seconds(1), absl::Hours(24),
                "How often a HELD job is looked for in its first day");
  list.Choice("on-capacity-refusal", &config.on_capacity_refusal, {"retry", "hold"},
              "What follows a refusal for capacity whose record cannot be found");

  list.Duration("late-outcome-interval", &config.engine.late.interval, absl::Seconds(1),
                absl::Hours(24), "How often an EXPIRED job is asked about again");
  list.Duration("late-outcome-time", &config.engine.late.look_for, absl::ZeroDuration(),
                absl::Hours(720), "For how long after its end");
  list.Duration("retention", &config.engine.retention.jobs, absl::Hours(1), absl::Hours(87600),
                "How long a job is kept after its end; what is live or HELD is kept always");
  list.Duration(
      "request-id-retention", &config.engine.retention.request_ids, absl::Hours(1),
      absl::Hours(87600),
      "How long a request_id is remembered after its submission; a repeat later is a new job");

  list.Group("Process");
  list.Choice("log-level", &config.running.log_level, {"debug", "info", "warning", "error"},
              "The least that is logged, one JSON object a line on stderr");
  list.Duration("drain-time", &config.running.drain_time, absl::Seconds(1), absl::Minutes(10),
                "How long a stop may take. A second signal ends it at once");
  list.Text("ready-file", &config.running.ready_file, "path in a folder that exists",
            "Written when serving: JSON with the process id and the ports. Empty: none");
  return list;
}

ConfigOutcome ReadConfig(const std::vector<std::string>& arguments) {
  ConfigOutcome outcome;
  Config config;
  const SettingList list = SettingsOf(config);

  CLI::App app("Luma Edit Gateway: dependable video edits over gRPC.", "luma-edit-gateway");
  app.footer(
      absl::StrCat("A setting comes from the command line, else from the file of --config, "
                   "else from its\nvariable, else it has its default. The API key comes "
                   "from --gmi-api-key-file or ",
                   kKeyVariable, "."));
  app.set_config("--config", "", "INI file with settings: name = value")->group("Process");
  app.allow_extras();
  app.allow_config_extras(CLI::config_extras_mode::capture);
  bool print_config = false;
  bool print_version = false;
  std::vector<std::string> texts(list.all().size());
  std::vector<CLI::Option*> options;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Setting& setting = list.all()[i];
    options.push_back(app.add_option("--" + setting.name, texts[i], setting.meaning)
                          ->group(setting.group)
                          ->envname(setting.EnvironmentName())
                          ->type_name("(" + setting.range + ")")
                          ->default_str(setting.default_text));
  }
  // Not configurable(): a file that prints instead of running would surprise.
  app.add_flag("--print-config", print_config, "Print the settings as a --config file and exit")
      ->group("Process")
      ->configurable(false);
  app.add_flag("--version", print_version, "Print the version and exit")
      ->group("Process")
      ->configurable(false);

  Errors errors;
  try {
    app.parse(AsCli11Takes(arguments));
  } catch (const CLI::CallForHelp&) {
    outcome.text = app.help();
    return outcome;
  } catch (const CLI::ParseError& error) {
    outcome.errors = {error.what()};
    outcome.exit_code = kExitConfig;
    return outcome;
  }
  if (print_version) {
    outcome.text = absl::StrCat("luma-edit-gateway ", std::string(kVersion), "\n");
    return outcome;
  }

  for (const std::string& extra : app.remaining()) {
    // A value may be a secret that was meant for a setting: only names are repeated.
    const bool is_value = !absl::StartsWith(extra, "-") &&
                          std::find(arguments.begin(), arguments.end(), extra) != arguments.end();
    errors.AddLine(is_value ? "a value without the name of a known setting before it"
                            : absl::StrCat("unknown setting: ", extra.substr(0, extra.find('='))));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (options[i]->count() == 0) continue;
    const Setting& setting = list.all()[i];
    errors.Add(setting.name, setting.read(texts[i]));
  }
  CheckTogether(config, errors);

  if (!errors.empty()) {
    outcome.errors = errors.Take();
    outcome.exit_code = kExitConfig;
    return outcome;
  }
  if (print_config) {
    outcome.text = PrintSettings(config, list);
    return outcome;
  }
  outcome.config = std::move(config);
  return outcome;
}

}  // namespace lumaedit
