// One WatchJob stream: replay, `caught_up`, live, heartbeats (protocol.md section 6).
//
// Keeps itself alive from Start to OnDone; the hub and the registry know it weakly. Its methods run
// on gRPC's threads, the fan-out worker, a store thread and the ticker, in any order. At most one
// write is out; Finish is owed exactly once and never over an open write; the stream's lock is
// never held across StartWrite, Finish and TryCancel (design.md section 4).
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/job/job_service.h"
#include "server/job/watch_hub.h"
#include "server/rpc/stream_registry.h"

namespace lumaedit {

class WatchReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                           public Watcher,
                           public WatchedStream,
                           public std::enable_shared_from_this<WatchReactor> {
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
    absl::Duration heartbeat;
    absl::Duration age;  // of the stream, when it is rotated
    absl::Duration stalled_write;
  };
  WatchReactor(Deps deps, Request request, grpc::CallbackServerContext* context);

  // Called once, by the handler, before it returns this reactor.
  void Start();

  void Wake() override { Pump(); }
  void Tick(absl::Duration now) override;
  void End(const absl::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  enum class Act { kNone, kWrite, kWriteLast, kFinish };

  void OnStarted(absl::StatusOr<WatchStart> start);
  // Does the next thing that is due, if nothing is out.
  void Pump();
  Act Choose(grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Cut();

  const Deps deps_;
  const Request request_;
  const absl::Duration rotate_at_;  // uptime
  std::shared_ptr<WatchReactor>
      self_;  // set by Start, dropped by OnDone; no other thread touches it

  Mutex mutex_;
  int cursor_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  bool heartbeat_due_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration idle_since_ ABSL_GUARDED_BY(mutex_);  // uptime of the last message's end
  absl::Duration out_since_ ABSL_GUARDED_BY(mutex_);   // uptime when the open write was started
  // What to end with as soon as no write is out.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<JobFeed> feed_ ABSL_GUARDED_BY(mutex_);  // null: not started yet
  // Sent when the cursor reaches its sequence; null: was sent.
  std::shared_ptr<const grpc::ByteBuffer> caught_up_ ABSL_GUARDED_BY(mutex_);
  int caught_up_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  bool final_at_start_ ABSL_GUARDED_BY(mutex_) = false;
  // The frame that is being written; held until OnWriteDone, or for good by the last write.
  std::shared_ptr<const grpc::ByteBuffer> frame_ ABSL_GUARDED_BY(mutex_);

  // TryCancel from another thread is only good while the call lives: OnDone clears the pointer.
  Mutex context_mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(context_mutex_);
};

// A stream that is refused before it begins.
class RefusedStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const absl::Status& status);
  void OnDone() override { delete this; }
};

}  // namespace lumaedit
