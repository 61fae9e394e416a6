// One WatchJob stream: replay, `caught_up`, live, heartbeats (protocol.md section 6). Threads and
// life: stream_reactor.h.
#pragma once

#include <memory>
#include <string>

#include "server/job/job_service.h"
#include "server/job/watch_hub.h"
#include "server/rpc/stream_reactor.h"

namespace lumaedit {

class WatchReactor final : public StreamReactor {
 public:
  struct Deps {
    JobService& jobs;
    WatchHub& hub;
  };
  struct Request {
    std::string caller;
    std::string job_id;
    int after_sequence = 0;
  };
  WatchReactor(Deps deps, Shared shared, Request request, Times times,
               grpc::CallbackServerContext* context);

 private:
  void Begin() override;
  Frame Next(bool heartbeat_due) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Leave() override;
  void OnStarted(absl::StatusOr<WatchStart> start);

  const Deps deps_;
  Request request_;  // given away by Begin

  int cursor_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<JobFeed> feed_ ABSL_GUARDED_BY(mutex_);  // null: not started yet
  // Sent when the cursor reaches its sequence; null: was sent.
  std::shared_ptr<const grpc::ByteBuffer> caught_up_ ABSL_GUARDED_BY(mutex_);
  int caught_up_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  bool final_at_start_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lumaedit
