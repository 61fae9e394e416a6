// luma-edit-gateway: reads the settings, serves until it is told to stop. With a word before the
// settings (admin_command.h): asks the gateway that runs.
// Exit codes: 0 stopped as asked, 2 wrong settings, 1 anything else.
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "server/app/admin_command.h"
#include "server/app/application.h"
#include "server/app/config.h"
#include "server/app/process.h"
#include "server/app/restore_command.h"
#include "server/base/log.h"
#include "server/rpc/grpc_server.h"

namespace lumaedit {
namespace {

// One line for machines, the others for people.
void ReportFailure(Log& log, const std::string& event, const std::vector<std::string>& errors) {
  log.Error(event, {{"error", absl::StrJoin(errors, "; ")}});
  for (const std::string& error : errors) std::cerr << "luma-edit-gateway: " << error << "\n";
}

int Serve(Config config, Log& log) {
  if (absl::Status prepared = PrepareProcess(log); !prepared.ok()) {
    ReportFailure(log, "start_failed", {std::string(prepared.message())});
    return EXIT_FAILURE;
  }
  HoldStopSignals();
  const absl::Duration drain_time = config.running.drain_time;
  Application application(std::move(config), log);
  if (absl::Status started = application.Start(); !started.ok()) {
    ReportFailure(log, "start_failed", {std::string(started.message())});
    EndAtOnceOnNextSignalOrAfter(drain_time);
    return EXIT_FAILURE;
  }
  const std::string signal = WaitForStopSignal();
  EndAtOnceOnNextSignalOrAfter(drain_time);
  log.Info("stopping", {{"signal", signal}});
  application.Stop();
  return EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (const auto code = RunAdminCommand(arguments, std::cout, std::cerr)) return *code;
  StderrLog command_log(LogLevel::kWarning);
  if (const auto code = RunRestoreCommand(arguments, std::cout, std::cerr, command_log)) {
    return *code;
  }
  ConfigOutcome outcome = ReadConfig(arguments);
  if (!outcome.errors.empty()) {
    StderrLog log(LogLevel::kInfo);
    ReportFailure(log, "settings_wrong", outcome.errors);
    return outcome.exit_code;
  }
  std::cout << outcome.text << std::flush;
  if (!outcome.config.has_value()) return outcome.exit_code;

  StderrLog log(outcome.config->LeastLogLevel());
  SetGrpcLog(&log);
  const int code = Serve(*std::move(outcome.config), log);
  SetGrpcLog(nullptr);
  return code;
}

}  // namespace
}  // namespace lumaedit

int main(int argc, char** argv) { return lumaedit::Main(argc, argv); }
