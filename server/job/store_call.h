// Work for a caller on a store thread: how every service of this folder takes and refuses it. Any
// thread.
#pragma once

#include <memory>
#include <utility>

#include "server/base/reply.h"
#include "server/base/worker.h"
#include "server/job/error.h"

namespace lumaedit {

inline absl::Status Overloaded() {
  ErrorDetail detail;
  detail.reason = ErrorReason::kOverloaded;
  detail.retry_after = absl::Seconds(1);
  return MakeError(absl::StatusCode::kResourceExhausted, std::move(detail),
                   "too many calls are waiting for the store");
}

// Runs `work` on the worker and gives its result as the reply; RESOURCE_EXHAUSTED kOverloaded when
// the worker's queue is full.
template <typename T, typename Work>
void RunOnStore(Worker& worker, Reply<T> reply, Work work) {
  // The reply must survive a refused task, which is destroyed: hence the shared holder.
  auto held = std::make_shared<Reply<T>>(std::move(reply));
  const bool taken =
      worker.TryPost([held, work = std::move(work)]() mutable { std::move (*held)(work()); });
  if (!taken) std::move (*held)(Overloaded());
}

}  // namespace lumaedit
