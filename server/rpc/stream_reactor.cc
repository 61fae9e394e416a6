#include "server/rpc/stream_reactor.h"

#include <utility>

#include "server/rpc/status_mapper.h"

namespace lumaedit {
namespace {

StreamEnd HowItEnds(const absl::Status& status) {
  switch (DetailOf(status).reason) {
    case ErrorReason::kStreamRotated:
      return StreamEnd::kRotated;
    case ErrorReason::kDraining:
      return StreamEnd::kDraining;
    case ErrorReason::kOverloaded:
      return StreamEnd::kOverloaded;
    default:
      return StreamEnd::kFailed;
  }
}

}  // namespace

StreamReactor::StreamReactor(Shared shared, Times times, grpc::CallbackServerContext* context)
    : shared_(shared),
      times_(times),
      rotate_at_(shared.clock.Uptime() + times.age),
      idle_since_(shared.clock.Uptime()),
      out_since_(idle_since_),
      context_(context) {}

void StreamReactor::Start() {
  self_ = shared_from_this();
  Begin();
}

void StreamReactor::End(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (!end_) end_ = status;
  }
  Pump();
}

void StreamReactor::Fail(const absl::Status& status, const char* method) {
  if (IsHiddenFault(status)) {
    shared_.log.Error("call_failed",
                      {{"method", method}, {"error", std::string(status.message())}});
  }
  {
    MutexLock lock(mutex_);
    // An answer that comes after the end: the registry may be gone. Until then it waits for us.
    if (finished_) return;
    if (!end_) end_ = shared_.registry.EndOf(status);
  }
  Pump();
}

StreamReactor::Todo StreamReactor::Choose() {
  Todo todo;
  if (finished_ || writing_) return todo;
  out_since_ = shared_.clock.Uptime();
  if (cancelled_ || end_) {
    todo.status = cancelled_ ? grpc::Status::CANCELLED : ToGrpcStatus(*end_);
    todo.act = Act::kFinish;
    finished_ = true;
    how_ = cancelled_ ? StreamEnd::kLeft : HowItEnds(*end_);
    return todo;
  }
  Frame frame = Next(heartbeat_due_);
  todo.errand = frame.errand;
  if (!frame.bytes) return todo;
  heartbeat_due_ = false;
  frame_ = std::move(frame.bytes);
  todo.frame = frame_.get();
  todo.act = frame.last ? Act::kWriteLast : Act::kWrite;
  (frame.last ? finished_ : writing_) = true;
  if (frame.last) how_ = StreamEnd::kFinal;
  return todo;
}

void StreamReactor::Pump() {
  Todo todo;
  {
    MutexLock lock(mutex_);
    todo = Choose();
  }
  // Before the write: when that is done, others may end the stream.
  if (todo.errand) RunErrand();
  switch (todo.act) {
    case Act::kNone:
      break;
    case Act::kWrite:
      DoWrite(todo.frame);
      break;
    case Act::kWriteLast:
      DoWriteLast(todo.frame);
      break;
    case Act::kFinish:
      DoFinish(todo.status);
      break;
  }
}

void StreamReactor::OnWriteDone(bool ok) {
  std::shared_ptr<const grpc::ByteBuffer> done;
  {
    MutexLock lock(mutex_);
    writing_ = false;
    done = std::move(frame_);
    frame_ = nullptr;
    idle_since_ = shared_.clock.Uptime();
    if (!ok) cancelled_ = true;
  }
  Pump();
}

void StreamReactor::OnCancel() {
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
  }
  Pump();
}

void StreamReactor::OnDone() {
  {
    MutexLock lock(context_mutex_);
    context_ = nullptr;
  }
  Leave();
  StreamEnd how;
  {
    MutexLock lock(mutex_);
    how = cut_ ? StreamEnd::kStalled : how_;
  }
  shared_.registry.CountEnd(how);
  // Removed last: the registry's owner may go once it has no stream.
  std::shared_ptr<StreamReactor> self = std::move(self_);
  shared_.registry.Remove(this);
}

void StreamReactor::Tick(absl::Duration now) {
  bool cut = false;
  bool rotate = false;
  {
    MutexLock lock(mutex_);
    const bool out = writing_ || finished_;
    if (out && !cut_ && now - out_since_ >= times_.stalled_write) {
      cut_ = cut = true;
    } else if (!finished_ && !end_ && now >= rotate_at_) {
      rotate = true;
    } else if (!out && now - idle_since_ >= times_.heartbeat) {
      heartbeat_due_ = true;
    }
  }
  if (cut) {
    shared_.log.Warning("watch_stalled");
    Cut();
  } else if (rotate) {
    End(shared_.registry.ComeBack(ErrorReason::kStreamRotated,
                                  "the stream has reached its age; resume where it ended"));
  } else {
    Pump();
  }
}

void StreamReactor::Cut() {
  MutexLock lock(context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

RefusedStream::RefusedStream(const absl::Status& status) { Finish(ToGrpcStatus(status)); }

}  // namespace lumaedit
