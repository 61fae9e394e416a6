#include "server/job/engine_context.h"

#include <memory>

#include "server/base/backoff.h"
#include "server/base/signal.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// For a store that cannot be asked just now: full disk, lost connection.
constexpr BackoffRange kStoreRetry = {absl::Milliseconds(100), absl::Seconds(5)};

asio::awaitable<void> Pause(const EngineDeps& deps, int failures) {
  Signal pause(deps.executor, deps.clock);
  co_await pause.WaitFor(BackoffDelay(kStoreRetry, failures, deps.random));
}

}  // namespace

EngineContext::EngineContext(EngineDeps deps, EngineSettings settings)
    : deps_(std::move(deps)),
      settings_(settings),
      tasks_(deps_.executor, deps_.clock, deps_.log),
      accounts_(Accounts::Deps{.store = deps_.store,
                               .store_worker = deps_.store_worker,
                               .upstream = deps_.upstream,
                               .previous = deps_.previous_upstream,
                               .log = deps_.log}) {}

void EngineContext::SetLease(Lease lease, absl::Duration asked_at_uptime) {
  lease_until_ = asked_at_uptime + lease.good_for;
  lease_ = std::move(lease);
}

asio::awaitable<absl::StatusOr<Change>> EngineContext::Update(std::string job_id,
                                                              OwnedDecide decide) {
  for (int failures = 1;; ++failures) {
    const Lease lease = lease_;
    auto change = co_await Offload(deps_.store_worker,
                                   [this, &lease, &job_id, &decide]() -> absl::StatusOr<Change> {
                                     return deps_.store.Update(job_id, &lease, decide);
                                   });
    if (change.ok()) {
      // A commit may have come through although its answer was lost, and this one then changed
      // nothing: what was committed is read again before it is told.
      if (failures > 1) deps_.hub.Refresh(change->job.caller);
      Committed(*change);
      co_return change;
    }
    if (!absl::IsUnavailable(change.status()) || draining_) {
      deps_.log.Warning("job_update_failed",
                        {{"job", job_id}, {"error", std::string(change.status().message())}});
      co_return change.status();
    }
    if (failures == 1) {
      deps_.log.Error("store_unavailable",
                      {{"job", job_id}, {"error", std::string(change.status().message())}});
    }
    co_await Pause(deps_, failures);
  }
}

asio::awaitable<absl::Status> EngineContext::RecordFact(std::string job_id, int attempt, Fact fact,
                                                        bool ended) {
  for (int failures = 1;; ++failures) {
    absl::Status recorded = co_await Offload(
        deps_.store_worker, [&] { return deps_.store.RecordFact(job_id, attempt, fact, ended); });
    if (!absl::IsUnavailable(recorded)) {
      if (!recorded.ok()) {
        deps_.log.Error("fact_not_recorded", {{"job", job_id},
                                              {"attempt", attempt},
                                              {"upstream_id", fact.upstream_id},
                                              {"error", std::string(recorded.message())}});
      }
      co_return recorded;
    }
    if (failures == 1) {
      deps_.log.Error("store_unavailable",
                      {{"job", job_id}, {"error", std::string(recorded.message())}});
    }
    co_await Pause(deps_, failures);
  }
}

asio::awaitable<absl::StatusOr<JobView>> EngineContext::View(std::string job_id) {
  for (int failures = 1;; ++failures) {
    auto view = co_await Offload(deps_.store_worker, [&] { return deps_.store.View(job_id); });
    if (!absl::IsUnavailable(view.status()) || draining_) co_return view;
    co_await Pause(deps_, failures);
  }
}

void EngineContext::Committed(const Change& change) {
  if (change.transition) {
    deps_.hub.Publish(change.job, *change.transition);
    const Transition& transition = *change.transition;
    deps_.log.Info("job_transition",
                   {{"job", change.job.id},
                    {"sequence", transition.sequence},
                    {"from", transition.previous_state ? JobStateName(*transition.previous_state)
                                                       : std::string_view("")},
                    {"state", JobStateName(transition.state)},
                    {"request_id", change.job.request_id},
                    {"upstream_id", change.job.upstream_id},
                    {"reason", transition.error ? ErrorReasonName(transition.error->reason)
                                                : std::string_view("")}});
  }
  Route(change.job);
}

void EngineContext::LearnDate(absl::Time upstream_date) {
  if (!IsSet(upstream_date)) return;
  upstream_time_.offset = OffsetOf(upstream_date, deps_.clock.Now());
}

}  // namespace lumaedit
