#include "server/rpc/jobs_watch_reactor.h"

#include <utility>

#include "lumaedit/v1/watch.pb.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/transition_encoder.h"
#include "server/rpc/watch_token.h"

namespace lumaedit {

JobsWatchReactor::JobsWatchReactor(WatchHub& hub, Shared shared, Request request, Times times,
                                   grpc::CallbackServerContext* context)
    : StreamReactor(shared, times, context), hub_(hub), request_(std::move(request)) {}

void JobsWatchReactor::Begin() {
  auto self = std::static_pointer_cast<JobsWatchReactor>(shared_from_this());
  std::weak_ptr<Watcher> watcher = self;
  hub_.WatchCaller(
      request_.caller, request_.from, std::move(watcher),
      Reply<CallerWatchStart>([self = std::move(self)](absl::StatusOr<CallerWatchStart> start) {
        self->OnStarted(std::move(start));
      }));
}

void JobsWatchReactor::OnStarted(absl::StatusOr<CallerWatchStart> start) {
  if (!start.ok()) {
    Fail(start.status(), "WatchJobs");
    return;
  }
  bool gone = false;
  {
    MutexLock lock(mutex_);
    // The call may have ended while the store was asked: OnDone then knew of no feed.
    gone = finished();
    if (!gone) {
      feed_ = start->feed;
      store_id_ = std::move(start->from.store_id);
      cursor_ = start->from.change;
      caught_up_at_ = start->newest;
    }
  }
  if (gone) {
    hub_.Close(*start->feed, this);
  } else {
    Pump();
  }
}

std::string JobsWatchReactor::Token() const {
  return MakeWatchToken({store_id_, cursor_}, request_.filter_hash);
}

std::shared_ptr<const grpc::ByteBuffer> JobsWatchReactor::FrameOf(
    const std::shared_ptr<const void>& encoded, const std::string& job_id) const {
  // Concatenated messages are one merged message: the shared bytes, then what is this stream's own.
  v1::WatchJobsResponse own;
  own.set_job_id(job_id);
  own.set_resume_token(Token());
  const grpc::Slice slices[] = {TransitionEncoder::Bytes(encoded), SerializeToSlice(own)};
  return std::make_shared<const grpc::ByteBuffer>(slices, 2);
}

StreamReactor::Frame JobsWatchReactor::Next(bool heartbeat_due) {
  Frame frame;
  if (!feed_) return frame;
  for (;;) {
    if (caught_up_at_ && cursor_ >= *caught_up_at_) {
      caught_up_at_.reset();
      v1::WatchJobsResponse response;
      response.mutable_caught_up();
      response.set_resume_token(Token());
      frame.bytes = std::make_shared<const grpc::ByteBuffer>(SerializeMessage(response));
      return frame;
    }
    if (page_at_ < page_.entries.size()) {
      ReplayEntry entry = std::move(page_.entries[page_at_++]);
      cursor_ = entry.change;
      frame.bytes = FrameOf(entry.encoded, entry.job_id);
      return frame;
    }
    if (page_.end > cursor_) cursor_ = page_.end;
    page_ = {};
    page_at_ = 0;
    if (reading_) break;
    const CallerFeed::Step step = feed_->Next(cursor_);
    if (step.found == CallerFeed::Found::kNone) break;
    if (step.found == CallerFeed::Found::kInStore) {
      reading_ = frame.errand = true;
      break;
    }
    cursor_ = step.entry->change();
    if (!request_.filter->Matches(step.entry->job_id, step.entry->labels)) continue;
    frame.bytes = FrameOf(step.entry->entry->encoded, step.entry->job_id);
    return frame;
  }
  if (heartbeat_due) {
    v1::WatchJobsResponse response;
    response.mutable_heartbeat();
    response.set_resume_token(Token());
    frame.bytes = std::make_shared<const grpc::ByteBuffer>(SerializeMessage(response));
  }
  return frame;
}

void JobsWatchReactor::RunErrand() {
  std::int64_t after = 0;
  {
    MutexLock lock(mutex_);
    after = cursor_;
  }
  auto self = std::static_pointer_cast<JobsWatchReactor>(shared_from_this());
  hub_.ReadChanges(request_.caller, after, request_.filter,
                   Reply<ReplayPage>([self = std::move(self)](absl::StatusOr<ReplayPage> page) {
                     self->OnPage(std::move(page));
                   }));
}

void JobsWatchReactor::OnPage(absl::StatusOr<ReplayPage> page) {
  if (!page.ok()) {
    Fail(page.status(), "WatchJobs");
    return;
  }
  {
    MutexLock lock(mutex_);
    reading_ = false;
    page_ = *std::move(page);
    page_at_ = 0;
  }
  Pump();
}

void JobsWatchReactor::Leave() {
  std::shared_ptr<CallerFeed> feed;
  {
    MutexLock lock(mutex_);
    feed = std::exchange(feed_, nullptr);
    page_ = {};
    page_at_ = 0;
  }
  if (feed) hub_.Close(*feed, this);
}

}  // namespace lumaedit
