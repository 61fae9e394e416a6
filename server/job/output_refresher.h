// Reads the record of a final job again, for fresh output URLs and for what is learned late
// (protocol.md section 1): one read a job a minute, shared by all who ask.
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/signal.h"
#include "server/job/engine_context.h"
#include "server/job/poller.h"

namespace lumaedit {

class OutputRefresher {
 public:
  OutputRefresher(EngineContext& context, Poller& poller);

  // The job afterwards; the errors of UpstreamCalls::RefreshOutput.
  boost::asio::awaitable<absl::StatusOr<Job>> Run(std::string caller, std::string job_id);

 private:
  // The one read of a job in this minute.
  struct Look {
    bool asking = true;
    std::vector<std::shared_ptr<Signal>> waiting;  // for its end
    absl::Duration time;                           // uptime at its end
    ReadFailure failure = ReadFailure::kNone;
    int http_status = 0;
    absl::Duration retry_after = absl::ZeroDuration();
  };
  class Turn;

  boost::asio::awaitable<absl::StatusOr<Job>> Own(const std::string& caller,
                                                  const std::string& job_id);
  boost::asio::awaitable<absl::StatusOr<Job>> Ask(const Job& job, Look& look);
  absl::Status ErrorOf(const Look& look) const;
  void Forget();

  EngineContext& context_;
  Poller& poller_;
  std::unordered_map<std::string, std::shared_ptr<Look>> looks_;  // by job id
};

}  // namespace lumaedit
