// JobMetrics and the gauges of one gateway, in Prometheus' text format.
//
// Owned by Application. JobMetrics' methods: any thread, no allocation (every series is made at the
// start). Text is called by one admin thread at a time. Series are named lumaedit_…; labels hold
// words of ours, never a caller, a prompt, a URL or a key.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "server/job/engine_status.h"
#include "server/job/job_metrics.h"
#include "server/job/job_store.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace lumaedit {

// What is read at the moment of a scrape. Unset: that part did not answer in time.
struct Snapshot {
  std::optional<EngineStatus> engine;
  std::optional<StoreOverview> store;
  Budget today;                                        // of all callers; with `store`
  std::optional<std::int64_t> daily_limit_usd_micros;  // unset: none
  std::size_t watchers = 0;
  std::size_t feeds = 0;
  std::map<std::string, std::size_t> queues;          // by worker
  std::map<std::string, std::int64_t> streams_ended;  // by reason, since the start
  std::map<std::string, std::int64_t> refusals;       // by reason, since the start
};

class PrometheusMetrics final : public JobMetrics {
 public:
  explicit PrometheusMetrics(const std::string& version);
  ~PrometheusMetrics() override;

  void Transitioned(JobState state) override;
  void PostEnded(bool last_byte_given, FactKind answer, absl::Duration took) override;
  void ReadEnded(UpstreamRead what, ReadFailure failure, absl::Duration took) override;
  void PollLag(absl::Duration lag) override;
  void Observed(bool from_list) override;
  void UnknownUpstreamRecords(int count) override;
  void DetectionDelay(absl::Duration lower, absl::Duration upper) override;
  void StoreCommitted(absl::Duration took, int operations) override;

  // Everything, with what the snapshot says.
  std::string Text(const Snapshot& snapshot);

 private:
  struct Series;

  void Show(const Snapshot& snapshot);

  const std::shared_ptr<prometheus::Registry> registry_;
  const std::unique_ptr<Series> series_;
};

}  // namespace lumaedit
