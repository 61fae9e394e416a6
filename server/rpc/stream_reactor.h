// What every watch stream has in common (the pattern of design.md section 4): one write at a time,
// heartbeats, age, stalled writes, one Finish.
//
// Keeps itself alive from Start to OnDone; the hub and the registry know it weakly. Its methods run
// on gRPC's threads, the fan-out worker, a store thread and the ticker, in any order. At most one
// write is out; Finish is owed exactly once and never over an open write; the stream's lock is
// never held across StartWrite, Finish and TryCancel.
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
#include "server/job/watcher_table.h"
#include "server/rpc/stream_registry.h"

namespace lumaedit {

class StreamReactor : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                      public Watcher,
                      public WatchedStream,
                      public std::enable_shared_from_this<StreamReactor> {
 public:
  struct Shared {
    StreamRegistry& registry;
    Clock& clock;
    Log& log;
  };
  struct Times {
    absl::Duration heartbeat;
    absl::Duration age;  // of the stream, when it is rotated
    absl::Duration stalled_write;
  };
  StreamReactor(Shared shared, Times times, grpc::CallbackServerContext* context);

  // Called once, by the handler, before it returns this reactor.
  void Start();

  void Wake() override { Pump(); }
  void Tick(absl::Duration now) override;
  void End(const absl::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 protected:
  struct Frame {
    std::shared_ptr<const grpc::ByteBuffer> bytes;  // null: nothing to say
    bool last = false;                              // the stream ends OK with it
    bool errand = false;                            // RunErrand is to be called
  };

  // Registers with the hub; the answer may come on any thread.
  virtual void Begin() = 0;
  // The next message. A heartbeat is made only when it is due and there is nothing else.
  virtual Frame Next(bool heartbeat_due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // What Next asked for and must not do itself, since it holds the lock.
  virtual void RunErrand() {}
  // Forgets what it watches and leaves the hub. Called once, by OnDone.
  virtual void Leave() = 0;

  // Does the next thing that is due, if nothing is out.
  void Pump();
  // Ends the stream with what the store or the hub said.
  void Fail(const absl::Status& status, const char* method);
  bool finished() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return finished_; }

  Mutex mutex_;

 private:
  enum class Act { kNone, kWrite, kWriteLast, kFinish };
  struct Todo {
    Act act = Act::kNone;
    const grpc::ByteBuffer* frame = nullptr;
    grpc::Status status;
    bool errand = false;
  };
  Todo Choose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The way to gRPC; a test puts itself in between.
  virtual void DoWrite(const grpc::ByteBuffer* frame) { StartWrite(frame); }
  virtual void DoWriteLast(const grpc::ByteBuffer* frame) {
    StartWriteAndFinish(frame, grpc::WriteOptions(), grpc::Status::OK);
  }
  virtual void DoFinish(const grpc::Status& status) { Finish(status); }
  virtual void Cut();

  const Shared shared_;
  const Times times_;
  const absl::Duration rotate_at_;  // uptime
  std::shared_ptr<StreamReactor>
      self_;  // set by Start, dropped by OnDone; no other thread touches it

  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  bool heartbeat_due_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration idle_since_ ABSL_GUARDED_BY(mutex_);  // uptime of the last message's end
  absl::Duration out_since_ ABSL_GUARDED_BY(mutex_);   // uptime when the open write was started
  // What to end with as soon as no write is out.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  StreamEnd how_ ABSL_GUARDED_BY(mutex_) = StreamEnd::kFailed;  // once finished_
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
