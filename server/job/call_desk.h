// Takes the callers' calls that need the upstream onto the I/O thread, a bounded number at a time.
//
// Owned by JobEngine. Resolve and RefreshOutput from any thread; the rest on the I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "server/base/task_group.h"
#include "server/job/engine_context.h"
#include "server/job/output_refresher.h"
#include "server/job/poller.h"
#include "server/job/reconciler.h"
#include "server/job/resolver.h"
#include "server/job/upstream_calls.h"

namespace lumaedit {

class CallDesk final : public UpstreamCalls {
 public:
  CallDesk(EngineContext& context, Reconciler& reconciler, Poller& poller);

  void Resolve(ResolveRequest request, Reply<JobSnapshot> reply) override;
  void RefreshOutput(std::string caller, std::string job_id, Reply<JobSnapshot> reply) override;

  // Calls under way end with UNAVAILABLE, later ones are refused: the server, which waits for each
  // of its calls, can be shut down then.
  boost::asio::awaitable<void> End();

 private:
  using Work = absl::AnyInvocable<boost::asio::awaitable<absl::StatusOr<Job>>()>;

  void Begin(std::string name, Work work, Reply<JobSnapshot> reply);
  boost::asio::awaitable<void> Answer(std::shared_ptr<Work> work,
                                      std::shared_ptr<Reply<JobSnapshot>> reply);

  EngineContext& context_;
  Resolver resolver_;
  OutputRefresher refresher_;
  TaskGroup calls_;
  bool ended_ = false;
};

}  // namespace lumaedit
