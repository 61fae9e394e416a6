// The gateway as a whole: the one place that knows every concrete class. Builds them in the order
// of what needs what, and takes them down in the order of design.md section 4, "Stopping".
//
// Owned by main.cc and used by the main thread alone.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/app/config.h"
#include "server/base/log.h"

namespace lumaedit {

class Application {
 public:
  // `log` outlives the application.
  Application(Config config, Log& log);
  // Stops, if Stop was not called.
  ~Application();

  // Builds everything and serves. After a failure the application can only be destroyed.
  absl::Status Start();

  // Serves no more, lets what is sealed come to its answer, closes the store. Takes at most about
  // --drain-time.
  void Stop();

 private:
  struct Access;
  struct Parts;

  absl::Status StartParts();
  absl::StatusOr<Access> MakeUpstream(const std::string& key_file, const Secret& key);
  absl::Status StartAdmin();
  absl::Status WriteReadyFile();
  void LogStart();

  Config config_;
  Log& log_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lumaedit
