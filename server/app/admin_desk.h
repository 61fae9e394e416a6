// What the admin port answers: GET /metrics, /healthz, /readyz, /status; POST /pause, /resume,
// /adopt.
//
// Owned by Application; called on the admin server's threads, which may block: it asks the engine
// on the I/O thread and the store on a store thread, and waits a bounded time for each.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "server/app/admin_server.h"
#include "server/app/prometheus_metrics.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/worker.h"
#include "server/job/job_engine.h"
#include "server/job/job_store.h"
#include "server/job/watch_hub.h"

namespace lumaedit {

class AdminDesk {
 public:
  struct Deps {
    JobStore& store;
    JobEngine& engine;
    WatchHub& hub;
    ThreadWorker& store_worker;
    PrometheusMetrics& metrics;
    Clock& clock;
    std::optional<std::int64_t> daily_limit_usd_micros;  // of all callers; unset: none
    boost::asio::any_io_executor io;
    // The depths of the workers' queues, the watch streams that have ended and the calls that were
    // refused, by reason.
    std::function<std::map<std::string, std::size_t>()> queues;
    std::function<std::map<std::string, std::int64_t>()> streams_ended;
    std::function<std::map<std::string, std::int64_t>()> refusals;
    Log& log;
    absl::Duration patience = absl::Seconds(5);
    absl::Duration upstream_patience = absl::Seconds(25);
  };
  explicit AdminDesk(Deps deps) : deps_(std::move(deps)) {}

  // Any thread.
  void SetReady(bool ready) { ready_ = ready; }

  AdminAnswer Answer(const AdminRequest& request);

 private:
  AdminAnswer Metrics();
  AdminAnswer Status();
  AdminAnswer SetPaused(bool paused);
  // Gives a HELD job a record that need not be one of its candidates: {"job_id", "upstream_id"}.
  AdminAnswer Adopt(const std::string& body);
  template <typename T, typename Work>
  absl::StatusOr<T> OnStore(Work work);
  std::optional<EngineStatus> AskEngine();
  struct StoreAnswer {
    StoreOverview overview;
    Budget today;  // of all callers
  };
  absl::StatusOr<StoreAnswer> AskStore(int most_held);

  const Deps deps_;
  std::atomic<bool> ready_ = false;
  Mutex scraping_;
};

}  // namespace lumaedit
