#include "server/rpc/wait_call.h"

#include <utility>

#include "server/job/state_rules.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/status_mapper.h"
#include "server/rpc/to_proto.h"

namespace lumaedit {
namespace {

// Transitions in one answer; the rest is there for the next call.
constexpr int kMostTransitions = 100;

}  // namespace

WaitCall::WaitCall(Deps deps, Request request, grpc::ByteBuffer* response)
    : deps_(deps),
      request_(std::move(request)),
      deadline_(deps_.clock.Uptime() + request_.wait),
      response_(response),
      cursor_(request_.after_sequence) {}

void WaitCall::Start() {
  self_ = shared_from_this();
  std::weak_ptr<Watcher> watcher = self_;
  deps_.jobs.Watch(request_.caller, request_.job_id, request_.after_sequence, std::move(watcher),
                   Reply<WatchStart>([self = self_](absl::StatusOr<WatchStart> start) {
                     self->OnStarted(std::move(start));
                   }));
}

void WaitCall::OnStarted(absl::StatusOr<WatchStart> start) {
  if (!start.ok()) {
    Fail(start.status());
    return;
  }
  bool gone = false;
  {
    MutexLock lock(mutex_);
    // The call may have ended while the store was asked: OnDone then knew of no feed.
    gone = finished_;
    if (!gone) {
      feed_ = start->feed;
      // Nothing will ever come after the last transition of a final job.
      if (IsFinal(start->job.job.state)) over_ = true;
    }
  }
  if (gone) {
    deps_.hub.Close(*start->feed, this);
  } else {
    Look();
  }
}

bool WaitCall::IsDue() {
  bool is_held = false;
  while (const auto entry = feed_->Next(cursor_)) {
    cursor_ = entry->transition.sequence;
    const JobState state = entry->transition.state;
    // A HELD that others follow is over.
    is_held = state == JobState::kHeld;
    if (!request_.until_terminal || IsFinal(state)) over_ = true;
  }
  over_ = over_ || is_held;
  return over_;
}

void WaitCall::Look() {
  {
    MutexLock lock(mutex_);
    if (finished_ || asked_ || !feed_ || !IsDue()) return;
    asked_ = true;
  }
  deps_.jobs.History(request_.caller, request_.job_id, request_.after_sequence, kMostTransitions,
                     Reply<JobHistory>([self = shared_from_this()](absl::StatusOr<JobHistory> h) {
                       self->OnHistory(std::move(h));
                     }));
}

void WaitCall::OnHistory(absl::StatusOr<JobHistory> history) {
  if (!history.ok()) {
    Fail(history.status());
    return;
  }
  v1::WaitJobResponse response;
  *response.mutable_job() = JobToProto(history->job);
  for (const Transition& transition : history->transitions) {
    *response.add_transitions() = TransitionToProto(transition);
  }
  if (!TakeFinish()) return;
  *response_ = SerializeMessage(response);
  Finish(grpc::Status::OK);
}

void WaitCall::Fail(const absl::Status& status) {
  if (IsHiddenFault(status)) {
    deps_.log.Error("call_failed", {{"method", "WaitJob"},
                                    {"job", request_.job_id},
                                    {"error", std::string(status.message())}});
  }
  absl::Status end;
  {
    MutexLock lock(mutex_);
    // An answer that comes after the end: the registry may be gone. Until then it waits for us.
    if (std::exchange(finished_, true)) return;
    end = deps_.registry.EndOf(status);
  }
  Finish(ToGrpcStatus(end));
}

bool WaitCall::TakeFinish() {
  MutexLock lock(mutex_);
  return !std::exchange(finished_, true);
}

void WaitCall::End(const absl::Status& status) {
  if (TakeFinish()) Finish(ToGrpcStatus(status));
}

void WaitCall::OnCancel() {
  if (TakeFinish()) Finish(grpc::Status::CANCELLED);
}

void WaitCall::Tick(absl::Duration now) {
  if (now < deadline_) return;
  {
    MutexLock lock(mutex_);
    over_ = true;
  }
  Look();
}

void WaitCall::OnDone() {
  std::shared_ptr<JobFeed> feed;
  {
    MutexLock lock(mutex_);
    feed = std::exchange(feed_, nullptr);
  }
  if (feed) deps_.hub.Close(*feed, this);
  // Removed last: the registry's owner may go once it has no stream.
  std::shared_ptr<WaitCall> self = std::move(self_);
  deps_.registry.Remove(this);
}

}  // namespace lumaedit
