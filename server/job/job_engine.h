// Drives every job of this process from PENDING to its end: dispatcher, poller and reconciler under
// one lease. Recovery at start is the normal path: each live job goes to whoever its state names.
//
// Owned by `app`. Start, Drain and Stop run on the I/O thread, as do all coroutines; OnSubmitted
// and OnChanged may be called from any thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <unordered_map>

#include "absl/status/status.h"
#include "server/job/call_desk.h"
#include "server/job/clock_trust.h"
#include "server/job/dispatcher.h"
#include "server/job/engine_context.h"
#include "server/job/engine_status.h"
#include "server/job/job_service.h"
#include "server/job/late_outcomes.h"
#include "server/job/poller.h"
#include "server/job/reconciler.h"
#include "server/job/restore_check.h"
#include "server/job/retention.h"

namespace lumaedit {

class JobEngine final : public JobListener {
 public:
  JobEngine(EngineDeps deps, EngineSettings settings, std::string owner);
  ~JobEngine() override;

  // Takes the lease and every live job, then begins to drive them.
  boost::asio::awaitable<absl::Status> Start();

  // No new POST is sealed from here on; sealed ones are awaited for up to `patience`.
  boost::asio::awaitable<void> Drain(absl::Duration patience);

  // Dispatch off, everything else on (protocol.md section 5): durable, so it survives a restart. On
  // the I/O thread. Pausing holds at once, also where the store could not be told; a POST that is
  // sealed goes on. After a restore resuming ends the pause, and not the comparison with the list
  // (restore_check.h): Status() tells what that waits for.
  boost::asio::awaitable<absl::Status> PauseDispatch();
  boost::asio::awaitable<absl::Status> ResumeDispatch();
  bool dispatch_paused() const { return context_.dispatch_paused(); }  // any thread

  // Ends every coroutine and gives the lease back. After Drain; the engine may then be destroyed.
  boost::asio::awaitable<void> Stop();

  void OnSubmitted(const Job& job) override;
  void OnChanged(const Job& job) override;

  // What callers ask that needs the upstream.
  UpstreamCalls& calls() { return calls_; }

  // On the I/O thread.
  EngineStatus Status() const;

  // For tests; I/O thread.
  const Dispatcher& dispatcher() const { return dispatcher_; }
  const Poller& poller() const { return poller_; }
  const Reconciler& reconciler() const { return reconciler_; }
  EngineContext& context() { return context_; }

 private:
  void Route(const Job& job, bool at_once);
  boost::asio::awaitable<absl::Status> TakeOver();
  boost::asio::awaitable<absl::Status> ReadPause();
  boost::asio::awaitable<void> Recover(std::string job_id);
  boost::asio::awaitable<void> KeepLease();
  boost::asio::awaitable<void> KeepHouse();
  // False: it could not be made sure that the source stays.
  boost::asio::awaitable<bool> KeepSource(std::string job_id);

  EngineContext context_;
  const std::string owner_;
  Dispatcher dispatcher_;
  Poller poller_;
  Reconciler reconciler_;
  LateOutcomes late_outcomes_;
  ClockTrust clock_trust_;
  Retention retention_;
  RestoreCheck restore_check_;
  CallDesk calls_;
  std::unordered_map<std::string, int> routed_;  // live jobs: the newest sequence that was routed
  Signal lease_wake_;
  Signal house_wake_;
};

}  // namespace lumaedit
