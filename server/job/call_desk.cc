#include "server/job/call_desk.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "server/job/error.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// Each may read the upstream's list: people decide about jobs, and scripts must not flood it.
constexpr std::size_t kMostCalls = 32;
constexpr absl::Duration kEndPatience = absl::Seconds(5);

absl::Status Refusal(absl::StatusCode code, ErrorReason reason, std::string_view text) {
  ErrorDetail detail;
  detail.reason = reason;
  detail.retry_after = absl::Seconds(2);
  return MakeError(code, std::move(detail), text);
}

}  // namespace

CallDesk::CallDesk(EngineContext& context, Reconciler& reconciler, Poller& poller)
    : context_(context),
      resolver_(context, reconciler),
      refresher_(context, poller),
      calls_(context.deps().executor, context.clock(), context.log()) {}

void CallDesk::Resolve(ResolveRequest request, Reply<JobSnapshot> reply) {
  Begin(
      "resolve",
      [this, request = std::move(request)]() mutable { return resolver_.Run(std::move(request)); },
      std::move(reply));
}

void CallDesk::RefreshOutput(std::string caller, std::string job_id, Reply<JobSnapshot> reply) {
  Begin(
      "refresh",
      [this, caller = std::move(caller), job_id = std::move(job_id)]() mutable {
        return refresher_.Run(std::move(caller), std::move(job_id));
      },
      std::move(reply));
}

void CallDesk::Begin(std::string name, Work work, Reply<JobSnapshot> reply) {
  auto held_work = std::make_shared<Work>(std::move(work));
  auto held_reply = std::make_shared<Reply<JobSnapshot>>(std::move(reply));
  asio::post(
      context_.deps().executor, [this, name = std::move(name), held_work = std::move(held_work),
                                 held_reply = std::move(held_reply)] {
        if (ended_) {
          std::move (*held_reply)(Refusal(absl::StatusCode::kUnavailable, ErrorReason::kDraining,
                                          "this process is stopping; send the call again"));
        } else if (calls_.size() >= kMostCalls) {
          std::move (*held_reply)(Refusal(absl::StatusCode::kResourceExhausted,
                                          ErrorReason::kOverloaded,
                                          "too many calls are asking the upstream"));
        } else {
          calls_.Spawn(name, Answer(held_work, held_reply));
        }
      });
}

asio::awaitable<void> CallDesk::Answer(std::shared_ptr<Work> work,
                                       std::shared_ptr<Reply<JobSnapshot>> reply) {
  auto job = co_await (*work)();
  if (!job.ok()) {
    std::move (*reply)(job.status());
    co_return;
  }
  const LiveInfo live = context_.deps().board.Get(job->id);
  const absl::Time purge_time = PurgeTime(*job, context_.settings().retention);
  std::move (*reply)(JobSnapshot{*std::move(job), live, purge_time});
}

asio::awaitable<void> CallDesk::End() {
  ended_ = true;
  calls_.CancelAll();
  const bool ended = co_await calls_.Join(kEndPatience);
  if (!ended) {
    context_.log().Error("calls_left", {{"count", static_cast<int>(calls_.size())}});
  }
}

}  // namespace lumaedit
