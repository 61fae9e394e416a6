#include "client/wait.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/deadline.h"
#include "client/durations.h"
#include "client/job_state.h"
#include "client/unary_call.h"

namespace lumaedit::client {
namespace {

// An answer comes this long after the poll's time at the latest.
constexpr absl::Duration kMargin = absl::Seconds(10);

}  // namespace

Result<v1::Job> RunWait(Connection& connection, absl::Duration connect_timeout,
                        const std::string& job_id, std::int32_t after_sequence,
                        const TransitionCallback& on_transition, const WaitOptions& options) {
  const Deadline deadline = Deadline::After(options.timeout);
  std::int32_t last = after_sequence;
  for (;;) {
    if (options.stop.stop_requested()) {
      return LocalError(absl::StatusCode::kCancelled, "the wait was cancelled by its caller");
    }
    if (deadline.Passed()) {
      return LocalError(absl::StatusCode::kDeadlineExceeded, "the wait's time limit is over");
    }
    absl::Duration poll = std::min(options.poll, deadline.Left());
    // Else the limit of the first contact would cut a poll that is as quiet as it should be.
    if (!connection.reached()) poll = std::min(poll, connect_timeout / 2);
    v1::WaitJobRequest request;
    request.set_job_id(job_id);
    request.set_after_sequence(last);
    SetDuration(poll, request.mutable_wait());

    CallOptions call;
    call.timeout = std::min(poll + kMargin + options.max_outage, deadline.Left());
    call.stop = options.stop;
    call.on_retry = options.on_interrupted;
    const UnaryLimits limits{poll + kMargin, connect_timeout, options.backoff};
    const Result<v1::WaitJobResponse> answer =
        UnaryCall(limits, connection, call).Run(&v1::EditService::Stub::WaitJob, request);
    if (!answer.ok()) {
      if (deadline.Passed() || options.stop.stop_requested()) continue;
      return answer.error();
    }
    for (const v1::Transition& transition : answer->transitions()) {
      if (transition.sequence() <= last) continue;
      if (transition.sequence() != last + 1) {
        return LocalError(absl::StatusCode::kDataLoss,
                          absl::StrCat("transition ", transition.sequence(), " came after ", last));
      }
      last = transition.sequence();
      if (on_transition && on_transition(transition) == WatchStep::kStop) return answer->job();
    }
    // A job that has moved on meanwhile is asked again.
    const v1::Job& job = answer->job();
    if (job.sequence() != last) continue;
    const bool held =
        options.return_at_held && last > after_sequence && job.state() == v1::Job::STATE_HELD;
    if (held || IsFinal(job.state())) return job;
  }
}

}  // namespace lumaedit::client
