#include "server/job/dispatcher.h"

#include <algorithm>
#include <vector>

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// Nothing is due: a look now and then costs little and forgives a lost nudge.
constexpr absl::Duration kIdleWait = absl::Seconds(30);

}  // namespace

Dispatcher::Dispatcher(EngineContext& context)
    : context_(context),
      driver_(context),
      breaker_(Breaker::Settings{.refused_first = context.settings().dispatch.pause_first,
                                 .most = context.settings().dispatch.pause_most}),
      wake_(context.deps().executor, context.clock()) {}

asio::awaitable<void> Dispatcher::Run() {
  while (!context_.draining()) {
    const absl::Duration now = context_.clock().Uptime();
    ExpireOverdue(now);
    const bool may_send =
        in_flight_ < breaker_.Limit(context_.settings().dispatch.posts_in_flight) &&
        breaker_.MaySend(now) && !context_.dispatch_paused();
    std::optional<std::string> next = may_send ? Pick(now) : std::nullopt;
    if (!next) {
      co_await wake_.WaitFor(NextWait(now));
      continue;
    }
    Waiting waiting = waiting_.at(*next);
    last_caller_ = waiting.caller;
    Remove(*next);
    sending_.insert(*next);
    // Taken here, not when the coroutine begins: this loop may choose again before that.
    context_.tasks().Spawn("send", Send(*next, waiting, std::make_shared<CountedPlace>(in_flight_)),
                           [this, job_id = *next, waiting](const std::string&) {
                             OnReport(job_id, waiting,
                                      {.kind = AttemptReport::Kind::kNotSent,
                                       .wait = context_.settings().dispatch.retry.most});
                           });
  }
}

void Dispatcher::Add(const Job& job) {
  Waiting waiting;
  if (const auto known = waiting_.find(job.id); known != waiting_.end()) waiting = known->second;
  const absl::Time now = context_.clock().Now();
  const absl::Duration uptime = context_.clock().Uptime();
  waiting.caller = job.caller;
  waiting.create_time = job.create_time;
  waiting.not_before = uptime;
  if (IsSet(job.next_attempt_time)) {
    // Wall time may have jumped since it was written down: no wait is longer than the longest.
    waiting.not_before += std::clamp(job.next_attempt_time - now, absl::ZeroDuration(),
                                     context_.settings().dispatch.retry.most);
  }
  if (job.options.start_within) {
    const absl::Duration left = job.create_time + *job.options.start_within - now;
    waiting.start_deadline = uptime + std::min(left, *job.options.start_within);
  }
  Enqueue(job.id, waiting);
}

void Dispatcher::Enqueue(const std::string& job_id, const Waiting& waiting) {
  waiting_[job_id] = waiting;
  queues_[waiting.caller].insert({waiting.create_time, job_id});
  wake_.Notify();
}

void Dispatcher::Remove(const std::string& job_id) {
  const auto it = waiting_.find(job_id);
  if (it == waiting_.end()) return;
  const auto queue = queues_.find(it->second.caller);
  queue->second.erase({it->second.create_time, job_id});
  if (queue->second.empty()) queues_.erase(queue);
  waiting_.erase(it);
}

std::optional<std::string> Dispatcher::Pick(absl::Duration now) {
  const auto first_ready = [&](const std::set<Place>& queue) -> std::optional<std::string> {
    for (const auto& [time, job_id] : queue) {
      if (waiting_.at(job_id).not_before <= now && !sending_.contains(job_id)) return job_id;
    }
    return std::nullopt;
  };
  // From the caller after the last one round to that one itself.
  auto it = queues_.upper_bound(last_caller_);
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    if (it == queues_.end()) it = queues_.begin();
    if (auto ready = first_ready(it->second)) return ready;
    ++it;
  }
  return std::nullopt;
}

absl::Duration Dispatcher::NextWait(absl::Duration now) const {
  absl::Duration until = now + kIdleWait;
  for (const auto& [job_id, waiting] : waiting_) {
    until = std::min(
        {until, std::max(waiting.not_before, breaker_.hold_until()), waiting.start_deadline});
  }
  // What is due now waits for a free place, which nudges.
  return until > now ? until - now : kIdleWait;
}

void Dispatcher::ExpireOverdue(absl::Duration now) {
  std::vector<std::string> overdue;
  for (const auto& [job_id, waiting] : waiting_) {
    if (waiting.start_deadline <= now) overdue.push_back(job_id);
  }
  for (const std::string& job_id : overdue) {
    Remove(job_id);
    context_.tasks().Spawn("start_within", FailUnstarted(job_id));
  }
}

asio::awaitable<void> Dispatcher::FailUnstarted(std::string job_id) {
  (co_await context_.Update(job_id,
                            [](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
                              if (view.job.state != JobState::kPending) return std::nullopt;
                              Decision decision;
                              decision.job = view.job;
                              Fail(decision.job, ErrorReason::kStartWithinExceeded,
                                   "it could not be sent within start_within", true);
                              return decision;
                            }))
      .IgnoreError();
}

asio::awaitable<void> Dispatcher::Send(std::string job_id, Waiting waiting,
                                       std::shared_ptr<CountedPlace> place) {
  const AttemptReport report = co_await driver_.Run(job_id, waiting.unsent_failures);
  place.reset();
  OnReport(job_id, std::move(waiting), report);
}

void Dispatcher::OnReport(const std::string& job_id, Waiting waiting, const AttemptReport& report) {
  const absl::Duration now = context_.clock().Uptime();
  sending_.erase(job_id);
  bool still_pending = false;
  switch (report.kind) {
    case AttemptReport::Kind::kGone:
      break;
    case AttemptReport::Kind::kNotSent:
    case AttemptReport::Kind::kEqualPayload:
      ++waiting.unsent_failures;
      still_pending = true;
      break;
    case AttemptReport::Kind::kLeaseShort:
      still_pending = true;
      break;
    case AttemptReport::Kind::kEveryoneRefused:
      breaker_.OnEveryoneRefused(now);
      still_pending = true;
      break;
    case AttemptReport::Kind::kSettled:
    case AttemptReport::Kind::kNoAnswerYet:
      if (report.unclear) {
        breaker_.OnUnclear(now);
      } else if (report.answered) {
        breaker_.OnClear();
      }
      break;
  }
  if (report.hold > absl::ZeroDuration()) breaker_.HoldUntil(now + report.hold);
  // A job that went back to PENDING by a decision was added by that decision already.
  if (still_pending && !waiting_.contains(job_id)) {
    waiting.not_before = now + report.wait;
    Enqueue(job_id, waiting);
  }
  wake_.Notify();
}

}  // namespace lumaedit
