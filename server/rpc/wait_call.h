// One WaitJob: a long poll on a job's sequence (protocol.md section 6). No thread waits for it: the
// hub wakes it, and the registry's ticker ends it.
//
// Keeps itself alive from Start to OnDone. Its methods run on gRPC's threads, the fan-out worker, a
// store thread and the ticker, in any order; Finish is owed exactly once and is called with no lock
// held.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/job/job_service.h"
#include "server/job/watch_hub.h"
#include "server/rpc/stream_registry.h"

namespace lumaedit {

class WaitCall final : public grpc::ServerUnaryReactor,
                       public Watcher,
                       public WatchedStream,
                       public std::enable_shared_from_this<WaitCall> {
 public:
  struct Deps {
    JobService& jobs;
    WatchHub& hub;
    StreamRegistry& registry;
    Clock& clock;
    Log& log;
  };
  struct Request {
    std::string caller;
    std::string job_id;
    int after_sequence = 0;
    bool until_terminal = false;
    absl::Duration wait;
  };
  // `response` is gRPC's, good until Finish.
  WaitCall(Deps deps, Request request, grpc::ByteBuffer* response);

  // Called once, by the handler, before it returns this reactor.
  void Start();

  void Wake() override { Look(); }
  void Tick(absl::Duration now) override;
  void End(const absl::Status& status) override;

  void OnCancel() override;
  void OnDone() override;

 private:
  void OnStarted(absl::StatusOr<WatchStart> start);
  // Asks for the answer, once, if it is due.
  void Look();
  bool IsDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnHistory(absl::StatusOr<JobHistory> history);
  void Fail(const absl::Status& status);
  // True for the one who is to call Finish.
  bool TakeFinish();

  const Deps deps_;
  const Request request_;
  const absl::Duration deadline_;  // uptime
  grpc::ByteBuffer* const response_;
  std::shared_ptr<WaitCall> self_;  // set by Start, dropped by OnDone; no other thread touches it

  Mutex mutex_;
  std::shared_ptr<JobFeed> feed_ ABSL_GUARDED_BY(mutex_);  // null: not started yet
  int cursor_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more is waited for
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lumaedit
