#include "server/rpc/watch_reactor.h"

#include <utility>

#include "server/job/state_rules.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/to_proto.h"
#include "server/rpc/transition_encoder.h"

namespace lumaedit {
namespace {

std::shared_ptr<const grpc::ByteBuffer> FrameOf(const v1::WatchJobResponse& response) {
  return std::make_shared<const grpc::ByteBuffer>(SerializeMessage(response));
}

}  // namespace

WatchReactor::WatchReactor(Deps deps, Shared shared, Request request, Times times,
                           grpc::CallbackServerContext* context)
    : StreamReactor(shared, times, context),
      deps_(deps),
      request_(std::move(request)),
      cursor_(request_.after_sequence) {}

void WatchReactor::Begin() {
  auto self = std::static_pointer_cast<WatchReactor>(shared_from_this());
  std::weak_ptr<Watcher> watcher = self;
  deps_.jobs.Watch(std::move(request_.caller), std::move(request_.job_id), request_.after_sequence,
                   std::move(watcher),
                   Reply<WatchStart>([self = std::move(self)](absl::StatusOr<WatchStart> start) {
                     self->OnStarted(std::move(start));
                   }));
}

void WatchReactor::OnStarted(absl::StatusOr<WatchStart> start) {
  if (!start.ok()) {
    Fail(start.status(), "WatchJob");
    return;
  }
  v1::WatchJobResponse response;
  *response.mutable_caught_up()->mutable_job() = JobToProto(start->job);
  auto caught_up = FrameOf(response);
  bool gone = false;
  {
    MutexLock lock(mutex_);
    // The call may have ended while the store was asked: OnDone then knew of no feed.
    gone = finished();
    if (!gone) {
      feed_ = start->feed;
      caught_up_ = std::move(caught_up);
      caught_up_sequence_ = start->job.job.sequence;
      final_at_start_ = IsFinal(start->job.job.state);
    }
  }
  if (gone) {
    deps_.hub.Close(*start->feed, this);
  } else {
    Pump();
  }
}

StreamReactor::Frame WatchReactor::Next(bool heartbeat_due) {
  Frame frame;
  if (!feed_) return frame;
  if (caught_up_ && cursor_ >= caught_up_sequence_) {
    frame.bytes = std::exchange(caught_up_, nullptr);
    frame.last = final_at_start_;
  } else if (const auto entry = feed_->Next(cursor_)) {
    frame.bytes = TransitionEncoder::Frame(entry->encoded);
    cursor_ = entry->transition.sequence;
    // What was final when the watch began is followed by `caught_up`.
    frame.last = !caught_up_ && IsFinal(entry->transition.state);
  } else if (heartbeat_due) {
    v1::WatchJobResponse response;
    *response.mutable_heartbeat() = HeartbeatToProto(deps_.jobs.Live(feed_->job_id()));
    frame.bytes = FrameOf(response);
  }
  return frame;
}

void WatchReactor::Leave() {
  std::shared_ptr<JobFeed> feed;
  {
    MutexLock lock(mutex_);
    feed = std::exchange(feed_, nullptr);
  }
  if (feed) deps_.hub.Close(*feed, this);
}

}  // namespace lumaedit
