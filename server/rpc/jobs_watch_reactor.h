// One WatchJobs stream: the changes of many jobs of a caller, each message with the position after
// it (protocol.md section 6). Threads and life: stream_reactor.h.
//
// It costs a cursor. What lies before the hub's window comes from the store, a page of at most 100
// changes at a time, asked for only when the page before was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/job/watch_hub.h"
#include "server/rpc/stream_reactor.h"

namespace lumaedit {

class JobsWatchReactor final : public StreamReactor {
 public:
  struct Request {
    std::string caller;
    std::optional<StorePosition> from;
    std::shared_ptr<const JobsFilter> filter;
    std::string filter_hash;  // of watch_token.h
  };
  JobsWatchReactor(WatchHub& hub, Shared shared, Request request, Times times,
                   grpc::CallbackServerContext* context);

 private:
  void Begin() override;
  Frame Next(bool heartbeat_due) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunErrand() override;
  void Leave() override;
  void OnStarted(absl::StatusOr<CallerWatchStart> start);
  void OnPage(absl::StatusOr<ReplayPage> page);

  // The token of where the cursor is.
  std::string Token() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const grpc::ByteBuffer> FrameOf(const std::shared_ptr<const void>& encoded,
                                                  const std::string& job_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  WatchHub& hub_;
  const Request request_;

  std::shared_ptr<CallerFeed> feed_ ABSL_GUARDED_BY(mutex_);  // null: not started yet
  std::string store_id_ ABSL_GUARDED_BY(mutex_);
  std::int64_t cursor_ ABSL_GUARDED_BY(mutex_) = 0;
  // `caught_up` is sent when the cursor reaches this; unset: was sent.
  std::optional<std::int64_t> caught_up_at_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // the store is being asked for a page
  ReplayPage page_ ABSL_GUARDED_BY(mutex_);
  std::size_t page_at_ ABSL_GUARDED_BY(mutex_) = 0;  // the entry of the page that is next
};

}  // namespace lumaedit
