// What dispatcher, poller and reconciler share: the parts they use, the lease, and the one way in
// which the engine changes a job (commit first, publish second, then tell who drives it next).
//
// Owned by JobEngine. Everything runs on the I/O thread; store calls are offloaded.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/base/task_group.h"
#include "server/base/worker.h"
#include "server/job/accounts.h"
#include "server/job/engine_settings.h"
#include "server/job/fit_rules.h"
#include "server/job/job_metrics.h"
#include "server/job/job_store.h"
#include "server/job/live_board.h"
#include "server/job/source_store.h"
#include "server/job/upstream.h"
#include "server/job/watch_hub.h"

namespace lumaedit {

struct EngineDeps {
  JobStore& store;
  SourceStore& sources;
  Upstream& upstream;
  // With the key that was used before, for jobs of another account; null: none is given.
  Upstream* previous_upstream = nullptr;
  WatchHub& hub;
  LiveBoard& board;
  Worker& store_worker;
  Clock& clock;
  Random& random;
  Log& log;
  boost::asio::any_io_executor executor;
  JobMetrics& metrics = NoMetrics();
};

// What may be logged of a note: our own words where nothing was answered. With an answer it holds
// the upstream's words, which may quote a prompt.
inline std::string NoteToLog(int http_status, const std::string& note) {
  return http_status == 0 ? note : std::string();
}

class EngineContext {
 public:
  using Router = absl::AnyInvocable<void(const Job& job)>;

  EngineContext(EngineDeps deps, EngineSettings settings);

  const EngineDeps& deps() const { return deps_; }
  const EngineSettings& settings() const { return settings_; }
  Clock& clock() const { return deps_.clock; }
  Log& log() const { return deps_.log; }
  TaskGroup& tasks() { return tasks_; }

  // --- Lease ------------------------------------------------------------------------------------
  void SetLease(Lease lease, absl::Duration asked_at_uptime);
  void LoseLease() { lease_until_ = -absl::InfiniteDuration(); }
  const Lease& lease() const { return lease_; }
  absl::Duration LeaseLeft() const { return lease_until_ - deps_.clock.Uptime(); }
  bool LeaseGoodFor(absl::Duration time) const { return LeaseLeft() >= time; }

  // --- Changing jobs ----------------------------------------------------------------------------
  // Fenced by the lease. Publishes the transition, then routes the job. `decide` is pure and owns
  // what it uses. While the store answers UNAVAILABLE it is asked again, with backoff, until the
  // lease is lost or the engine stops; every other failure is logged and
  // returned, so that who cannot do more may ignore it. Name a function that
  // captures before the co_await: gcc 12 copies the bytes of a lambda that is a temporary of such
  // an expression, which breaks what it captured.
  using OwnedDecide = std::function<absl::StatusOr<std::optional<Decision>>(const JobView&)>;
  boost::asio::awaitable<absl::StatusOr<Change>> Update(std::string job_id, OwnedDecide decide);

  // Adds a fact; asks again until the store has it, lease or no lease (facts are never fenced).
  boost::asio::awaitable<absl::Status> RecordFact(std::string job_id, int attempt, Fact fact,
                                                  bool ended);

  // What follows every committed change: publish, log, route.
  void Committed(const Change& change);

  // While the store answers UNAVAILABLE it is asked again, until the engine drains.
  boost::asio::awaitable<absl::StatusOr<JobView>> View(std::string job_id);

  // Who drives a job next is decided by its state; set once by JobEngine.
  void SetRouter(Router router) { router_ = std::move(router); }
  void Route(const Job& job) {
    Noticed(job);
    router_(job);
  }
  void Noticed(const Job& job) {
    const bool is_inline = std::holds_alternative<StoredSource>(job.edit.source);
    if (is_inline && job.state != JobState::kPending) inline_seen_ = deps_.clock.Uptime();
  }

  Accounts& accounts() { return accounts_; }

  // --- Stopping ---------------------------------------------------------------------------------
  void Drain() { draining_ = true; }
  bool draining() const { return draining_; }

  // --- Pausing ----------------------------------------------------------------------------------
  // No POST is sealed while either lasts: an operator's pause, or a restored store that was not
  // compared with the upstream yet. Written on the I/O thread, read by any.
  void SetDispatchPaused(bool paused) { paused_by_operator_ = paused; }
  void SetRestored(bool restored) { restored_ = restored; }
  bool paused_by_operator() const { return paused_by_operator_; }
  bool restored() const { return restored_; }
  bool dispatch_paused() const { return paused_by_operator_ || restored_; }

  // --- Fat echoes -------------------------------------------------------------------------------
  // A job with an inline source was sent in the last day: its record echoes the video in the list.
  bool HasInlineJobs() const { return deps_.clock.Uptime() - inline_seen_ < absl::Hours(24); }

  // --- The upstream's clock ---------------------------------------------------------------------
  void LearnDate(absl::Time upstream_date);
  const UpstreamTime& upstream_time() const { return upstream_time_; }

 private:
  const EngineDeps deps_;
  const EngineSettings settings_;
  TaskGroup tasks_;
  Accounts accounts_;
  Router router_;
  Lease lease_;
  absl::Duration lease_until_ = -absl::InfiniteDuration();  // uptime
  UpstreamTime upstream_time_;
  absl::Duration inline_seen_ = -absl::InfiniteDuration();  // uptime
  bool draining_ = false;
  std::atomic<bool> paused_by_operator_ = false;
  std::atomic<bool> restored_ = false;
};

}  // namespace lumaedit
