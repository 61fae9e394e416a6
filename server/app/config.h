// Everything that can be set about one gateway process: parsed and checked once, constant after.
//
// A setting comes from the command line, else from the file of --config (INI: name = value), else
// from the environment (LUMAEDIT_ and the name in capitals), else it has its default. Wrong ones
// are reported all together, each with its name. Read while the process has one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/app/settings.h"
#include "server/base/log.h"
#include "server/base/secret.h"
#include "server/job/budget.h"
#include "server/job/engine_settings.h"
#include "server/rpc/rpc_settings.h"

namespace lumaedit {

struct Config {
  struct Listening {
    Address address{"127.0.0.1", 8443};
    Address health_address;                    // empty: no health port of its own
    Address admin_address{"127.0.0.1", 8444};  // empty: no admin port
    std::string tls_cert_file;
    std::string tls_key_file;
    std::string client_ca_file;

    bool HasTls() const { return !tls_cert_file.empty(); }
  };
  struct Storing {
    std::string data_dir;
    int threads = 16;
    // Calls that may wait for a store thread; more are refused.
    int queue = 4096;
  };
  struct Sources {
    int largest_mb = 200;  // 10^6 bytes each
    int quota_mb = 10'000;
    int most_per_caller = 100'000;
    int upload_threads = 4;
  };
  struct Asking {
    std::string base_url = "https://console.gmicloud.ai/api/v1/ie/requestqueue/apikey";
    std::string ca_file;  // empty: the system's certificates
    std::string api_key_file;
    Secret api_key;                     // from the file, or from GMI_API_KEY
    std::string previous_api_key_file;  // empty: no key was used before
    Secret previous_api_key;
  };
  struct Running {
    std::string log_level = "info";
    absl::Duration drain_time = absl::Seconds(20);
    std::string ready_file;
  };

  Listening listening;
  Storing storing;
  Sources sources;
  Asking asking;
  std::string on_capacity_refusal = "retry";  // what engine.reconcile says, in words
  std::string budget_window = "month";        // what budget.window says, in words
  // As set; budget.daily_limit_usd_micros is what follows from it and from the upstream.
  std::optional<std::int64_t> spend_limit_usd_per_day;
  BudgetSettings budget;
  EngineSettings engine;
  RpcSettings rpc;
  Running running;

  LogLevel LeastLogLevel() const;
};

// Every setting, bound to `config`, which must outlive the list. The order is that of --help.
SettingList SettingsOf(Config& config);

// What the arguments ask for. `config` set: run with it. Else print `text` (help, version, the
// settings; to stdout) or `errors` (to stderr), and exit with `exit_code`.
struct ConfigOutcome {
  std::optional<Config> config;
  int exit_code = 0;
  std::string text;
  std::vector<std::string> errors;
};

inline constexpr int kExitConfig = 2;

// `arguments` without the program's name. Reads the environment and the files that are named.
ConfigOutcome ReadConfig(const std::vector<std::string>& arguments);

}  // namespace lumaedit
