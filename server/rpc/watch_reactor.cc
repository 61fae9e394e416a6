#include "server/rpc/watch_reactor.h"

#include <utility>

#include "server/job/state_rules.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/status_mapper.h"
#include "server/rpc/to_proto.h"
#include "server/rpc/transition_encoder.h"

namespace lumaedit {
namespace {

std::shared_ptr<const grpc::ByteBuffer> FrameOf(const v1::WatchJobResponse& response) {
  return std::make_shared<const grpc::ByteBuffer>(SerializeMessage(response));
}

}  // namespace

WatchReactor::WatchReactor(Deps deps, Request request, grpc::CallbackServerContext* context)
    : deps_(deps),
      request_(std::move(request)),
      rotate_at_(deps_.clock.Uptime() + request_.age),
      cursor_(request_.after_sequence),
      idle_since_(deps_.clock.Uptime()),
      out_since_(idle_since_),
      context_(context) {}

void WatchReactor::Start() {
  self_ = shared_from_this();
  std::weak_ptr<Watcher> watcher = self_;
  deps_.jobs.Watch(request_.caller, request_.job_id, request_.after_sequence, std::move(watcher),
                   Reply<WatchStart>([self = self_](absl::StatusOr<WatchStart> start) {
                     self->OnStarted(std::move(start));
                   }));
}

void WatchReactor::OnStarted(absl::StatusOr<WatchStart> start) {
  if (!start.ok()) {
    if (IsHiddenFault(start.status())) {
      deps_.log.Error("call_failed", {{"method", "WatchJob"},
                                      {"job", request_.job_id},
                                      {"error", std::string(start.status().message())}});
    }
    End(start.status());
    return;
  }
  v1::WatchJobResponse response;
  *response.mutable_caught_up()->mutable_job() = JobToProto(start->job);
  auto caught_up = FrameOf(response);
  {
    MutexLock lock(mutex_);
    if (!finished_) {
      feed_ = start->feed;
      caught_up_ = std::move(caught_up);
      caught_up_sequence_ = start->job.job.sequence;
      final_at_start_ = IsFinal(start->job.job.state);
    }
  }
  // The call may have ended while the store was asked: OnDone then knew of no feed.
  if (caught_up) {
    deps_.hub.Close(*start->feed, this);
  } else {
    Pump();
  }
}

void WatchReactor::End(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (!end_) end_ = status;
  }
  Pump();
}

WatchReactor::Act WatchReactor::Choose(grpc::Status& status) {
  if (finished_ || writing_) return Act::kNone;
  out_since_ = deps_.clock.Uptime();
  if (cancelled_) {
    status = grpc::Status::CANCELLED;
    finished_ = true;
    return Act::kFinish;
  }
  if (end_) {
    status = ToGrpcStatus(*end_);
    finished_ = true;
    return Act::kFinish;
  }
  if (!feed_) return Act::kNone;

  bool last = false;
  if (caught_up_ && cursor_ >= caught_up_sequence_) {
    frame_ = std::exchange(caught_up_, nullptr);
    last = final_at_start_;
  } else if (const auto entry = feed_->Next(cursor_)) {
    frame_ = TransitionEncoder::Frame(entry->encoded);
    cursor_ = entry->transition.sequence;
    // What was final when the watch began is followed by `caught_up`.
    last = !caught_up_ && IsFinal(entry->transition.state);
  } else if (heartbeat_due_) {
    v1::WatchJobResponse response;
    *response.mutable_heartbeat() = HeartbeatToProto(deps_.jobs.Live(request_.job_id));
    frame_ = FrameOf(response);
  } else {
    return Act::kNone;
  }
  heartbeat_due_ = false;
  (last ? finished_ : writing_) = true;
  return last ? Act::kWriteLast : Act::kWrite;
}

void WatchReactor::Pump() {
  grpc::Status status;
  Act act;
  const grpc::ByteBuffer* frame = nullptr;
  {
    MutexLock lock(mutex_);
    act = Choose(status);
    frame = frame_.get();
  }
  switch (act) {
    case Act::kNone:
      break;
    case Act::kWrite:
      StartWrite(frame);
      break;
    case Act::kWriteLast:
      StartWriteAndFinish(frame, grpc::WriteOptions(), grpc::Status::OK);
      break;
    case Act::kFinish:
      Finish(status);
      break;
  }
}

void WatchReactor::OnWriteDone(bool ok) {
  std::shared_ptr<const grpc::ByteBuffer> done;
  {
    MutexLock lock(mutex_);
    writing_ = false;
    done = std::move(frame_);
    frame_ = nullptr;
    idle_since_ = deps_.clock.Uptime();
    if (!ok) cancelled_ = true;
  }
  Pump();
}

void WatchReactor::OnCancel() {
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
  }
  Pump();
}

void WatchReactor::OnDone() {
  {
    MutexLock lock(context_mutex_);
    context_ = nullptr;
  }
  std::shared_ptr<JobFeed> feed;
  {
    MutexLock lock(mutex_);
    feed = std::exchange(feed_, nullptr);
  }
  if (feed) deps_.hub.Close(*feed, this);
  // Removed last: the registry's owner may go once it has no stream.
  std::shared_ptr<WatchReactor> self = std::move(self_);
  deps_.registry.Remove(this);
}

void WatchReactor::Tick(absl::Duration now) {
  bool cut = false;
  bool rotate = false;
  {
    MutexLock lock(mutex_);
    const bool out = writing_ || finished_;
    if (out && !cut_ && now - out_since_ >= request_.stalled_write) {
      cut_ = cut = true;
    } else if (!finished_ && !end_ && now >= rotate_at_) {
      rotate = true;
    } else if (!out && feed_ && now - idle_since_ >= request_.heartbeat) {
      heartbeat_due_ = true;
    }
  }
  if (cut) {
    deps_.log.Warning("watch_stalled", {{"job", request_.job_id}});
    Cut();
  } else if (rotate) {
    End(deps_.registry.ComeBack(ErrorReason::kStreamRotated,
                                "the stream has reached its age; resume with the last sequence"));
  } else {
    Pump();
  }
}

void WatchReactor::Cut() {
  MutexLock lock(context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

RefusedStream::RefusedStream(const absl::Status& status) { Finish(ToGrpcStatus(status)); }

}  // namespace lumaedit
