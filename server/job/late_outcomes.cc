#include "server/job/late_outcomes.h"

#include <algorithm>
#include <optional>

#include "server/job/late_outcome_rule.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kIdleWait = absl::Minutes(1);
constexpr int kLoadPage = 500;
// The last look of a day comes a little late, as each one before it did.
constexpr absl::Duration kSlack = absl::Minutes(1);

}  // namespace

LateOutcomes::LateOutcomes(EngineContext& context, Poller& poller)
    : context_(context), poller_(poller), wake_(context.deps().executor, context.clock()) {}

asio::awaitable<absl::Status> LateOutcomes::Load() {
  const absl::Time since = context_.clock().Now() - context_.settings().late.look_for;
  for (std::string after;;) {
    const auto page = co_await Offload(context_.deps().store_worker, [this, since, &after] {
      return context_.deps().store.ExpiredJobs(since, after, kLoadPage);
    });
    if (!page.ok()) co_return page.status();
    for (const LiveJob& job : *page) {
      if (!job.upstream_id.empty()) Add(job.id, job.state_time, absl::ZeroDuration());
    }
    if (page->size() < static_cast<std::size_t>(kLoadPage)) co_return absl::OkStatus();
    after = page->back().id;
  }
}

asio::awaitable<void> LateOutcomes::Run() {
  while (!context_.draining()) {
    const absl::Duration now = context_.clock().Uptime();
    const absl::Duration at =
        due_.empty() ? now + kIdleWait : std::min(due_.begin()->first, now + kIdleWait);
    if (at > now) {
      co_await wake_.WaitFor(at - now);
      continue;
    }
    const std::string job_id = TakeDue();
    if (co_await poller_.AwaitTurn(Poller::ReadFor::kFinalJob)) co_await Ask(job_id);
  }
}

void LateOutcomes::Note(const Job& job) {
  if (!AwaitsLateOutcome(job)) {
    Forget(job.id);
  } else if (jobs_.count(job.id) == 0) {
    Add(job.id, job.state_time, context_.settings().late.interval);
  }
}

void LateOutcomes::Add(const std::string& job_id, absl::Time expired_at,
                       absl::Duration first_wait) {
  const absl::Duration now = context_.clock().Uptime();
  // Counted in uptime from here on, so that a jump of the wall clock ends no search early.
  const absl::Duration age = std::clamp(context_.clock().Now() - expired_at, absl::ZeroDuration(),
                                        context_.settings().late.look_for);
  Forget(job_id);
  const Late late{.due = now + first_wait, .until = now + context_.settings().late.look_for - age};
  jobs_[job_id] = late;
  due_.insert({late.due, job_id});
  wake_.Notify();
}

void LateOutcomes::Forget(const std::string& job_id) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return;
  due_.erase({it->second.due, job_id});
  jobs_.erase(it);
}

std::string LateOutcomes::TakeDue() {
  const std::string job_id = due_.begin()->second;
  due_.erase(due_.begin());
  Late& late = jobs_.at(job_id);
  const absl::Duration now = context_.clock().Uptime();
  late.due = now + context_.settings().late.interval;
  if (late.due > late.until + kSlack) {
    jobs_.erase(job_id);
  } else {
    due_.insert({late.due, job_id});
  }
  return job_id;
}

asio::awaitable<void> LateOutcomes::Ask(std::string job_id) {
  auto view = co_await context_.View(job_id);
  if (!view.ok() || !AwaitsLateOutcome(view->job)) {
    // Purged, or settled by somebody who asked.
    if (view.ok() || absl::IsNotFound(view.status())) Forget(job_id);
    co_return;
  }
  const Job& job = view->job;
  const Accounts::Reader reader = context_.accounts().ReaderFor(job.upstream_account);
  Poller::RecordRead read =
      co_await poller_.Read(reader, job.upstream_id, Poller::ReadFor::kFinalJob);
  if (read.key_changed) co_return;
  const GetResult& answer = read.answer;
  std::optional<UpstreamRecord>& record = read.record;
  if (answer.failure == ReadFailure::kKeyRefused) {
    context_.accounts().OnKeyRefused(reader);
    context_.log().Error("upstream_key_refused",
                         {{"job", job_id}, {"http_status", answer.http_status}});
  }
  if (!record || record->id != job.upstream_id) co_return;
  co_await context_.accounts().OnOwnedRecord(reader.key, job.upstream_account, record->org_id);
  const absl::Time now = context_.clock().Now();
  if (!DecideLateOutcome(job, *record, now)) co_return;
  EngineContext::OwnedDecide decide = [now, record = *std::move(record)](const JobView& current) {
    return DecideLateOutcome(current.job, record, now);
  };
  const auto change = co_await context_.Update(job_id, std::move(decide));
  if (change.ok() && IsSet(change->job.late_outcome_time)) {
    context_.log().Info("late_outcome", {{"job", job_id},
                                         {"upstream_status", change->job.upstream_status},
                                         {"has_video", change->job.outcome.has_value()}});
  }
}

}  // namespace lumaedit
