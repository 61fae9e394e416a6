#include "server/job/dispatcher.h"

#include <algorithm>
#include <utility>

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// Nothing is due: a look now and then costs little and forgives a lost nudge.
constexpr absl::Duration kIdleWait = absl::Seconds(30);

// How soon a changed key is noticed while a refusal of the old one pauses everything.
constexpr absl::Duration kKeyLook = absl::Seconds(2);

// The board is written anew at most this often, and less often the more jobs wait: a fiftieth of
// the time at most.
constexpr absl::Duration kShowEvery = absl::Seconds(1);
constexpr absl::Duration kShowEveryPerJob = absl::Microseconds(50);

}  // namespace

Dispatcher::Lane::Lane(const DispatchSettings& settings)
    : breaker(Breaker::Settings{.unclear_in_a_row = settings.unclear_in_a_row,
                                .unclear_first = settings.unclear_pause_first,
                                .unclear_most = settings.unclear_pause_most,
                                .refused_first = settings.pause_first,
                                .refused_most = settings.pause_most}),
      pace(Pace::Settings{}) {}

Dispatcher::Dispatcher(EngineContext& context)
    : context_(context), driver_(context), wake_(context.deps().executor, context.clock()) {}

asio::awaitable<void> Dispatcher::Run() {
  while (!context_.draining()) {
    const absl::Duration now = context_.clock().Uptime();
    FailOverdue(now);
    const std::shared_ptr<Lane> lane = LaneNow(now);
    const bool may_send =
        !context_.dispatch_paused() && NextSend(*lane, now) <= now &&
        in_flight_ < lane->breaker.Limit(context_.settings().dispatch.posts_in_flight);
    if (may_send && queue_.HasDue(now)) {
      Start(lane, now);
      continue;
    }
    if (!shown_ && show_at_ <= now) Show(*lane, now);
    co_await wake_.WaitFor(NextWait(*lane, now));
  }
}

DispatchStatus Dispatcher::Status() const {
  DispatchStatus status{.waiting = queue_.size(), .in_flight = in_flight_};
  const auto lane = lanes_.find(account_);
  if (lane == lanes_.end()) return status;
  const Breaker& breaker = lane->second->breaker;
  const absl::Duration now = context_.clock().Uptime();
  status.held_back = std::max(breaker.hold_until() - now, absl::ZeroDuration());
  status.refused = breaker.IsRefused(now);
  status.one_at_a_time = breaker.Limit(2) == 1;
  return status;
}

void Dispatcher::Start(const std::shared_ptr<Lane>& lane, absl::Duration now) {
  auto next = queue_.Take(now);
  if (!next) return;
  const auto& [job_id, waiting] = *next;
  queue_.Block(job_id);
  context_.deps().board.Erase(job_id);
  shown_ = false;
  lane->pace.OnSent(now);
  // The place is taken here, not when the coroutine begins: Run may choose again before that.
  context_.tasks().Spawn("send",
                         Send(job_id, waiting, lane, std::make_shared<CountedPlace>(in_flight_)),
                         [this, job_id = job_id, waiting = waiting, lane](const std::string&) {
                           OnReport(job_id, waiting, *lane,
                                    {.kind = AttemptReport::Kind::kNotSent,
                                     .wait = context_.settings().dispatch.retry.most});
                         });
}

std::shared_ptr<Dispatcher::Lane> Dispatcher::LaneNow(absl::Duration now) {
  const std::string key = context_.deps().upstream.Account();
  const std::string account = context_.accounts().Canonical(key);
  const bool is_new_key = key != key_;
  std::shared_ptr<Lane>& lane = lanes_[account];
  if (!is_new_key && account != account_ && lane == nullptr) {
    // The same key, whose account was learned.
    lane = std::move(lanes_[account_]);
    lanes_.erase(account_);
  }
  if (lane == nullptr) lane = std::make_shared<Lane>(context_.settings().dispatch);
  if (is_new_key && !key_.empty()) {
    context_.log().Info("upstream_key_changed", {{"same_account", account == account_}});
    lane->breaker.ForgetRefusal();
    shown_ = false;
  }
  key_ = key;
  account_ = account;
  if (lane->paused_told && lane->breaker.MaySend(now)) {
    lane->paused_told = false;
    context_.log().Info("dispatch_probes", {{"account", account}});
  }
  return lane;
}

absl::Duration Dispatcher::NextSend(Lane& lane, absl::Duration now) const {
  return std::max(lane.breaker.hold_until(), lane.pace.NextAt(now));
}

absl::Duration Dispatcher::NextWait(Lane& lane, absl::Duration now) {
  absl::Duration until = now + kIdleWait;
  until = std::min(until, queue_.NextChange());
  // What is due now and may be sent waits for a free place, which nudges.
  if (queue_.HasDue(now) && NextSend(lane, now) > now) until = std::min(until, NextSend(lane, now));
  if (lane.breaker.IsRefused(now) && queue_.size() > 0) until = std::min(until, now + kKeyLook);
  if (!shown_) until = std::min(until, show_at_);
  return std::max(until - now, absl::ZeroDuration());
}

void Dispatcher::Add(const Job& job) {
  WaitingJob waiting;
  if (const WaitingJob* known = queue_.Find(job.id)) waiting = *known;
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
  if (job.options.start_within && waiting.start_deadline == absl::InfiniteDuration()) {
    // Counted in uptime from here on, so that a jump of the wall clock ends no job early.
    const absl::Duration left = job.create_time + *job.options.start_within - now;
    waiting.start_deadline = uptime + std::min(left, *job.options.start_within);
  }
  queue_.Put(job.id, waiting);
  shown_ = false;
  wake_.Notify();
}

void Dispatcher::Remove(const std::string& job_id) {
  if (queue_.Find(job_id) == nullptr) return;
  queue_.Remove(job_id);
  context_.deps().board.Erase(job_id);
  shown_ = false;
  wake_.Notify();
}

void Dispatcher::FailOverdue(absl::Duration now) {
  for (const std::string& job_id : queue_.TakeOverdue(now)) {
    context_.deps().board.Erase(job_id);
    context_.tasks().Spawn("start_within", FailUnstarted(job_id));
    shown_ = false;
  }
}

void Dispatcher::Show(Lane& lane, absl::Duration now) {
  const absl::Time wall = context_.clock().Now();
  const absl::Duration next_send = NextSend(lane, now);
  std::vector<std::pair<std::string, LiveInfo>> infos;
  infos.reserve(queue_.size());
  queue_.ForEachInOrder(now, [&](const std::string& job_id, const WaitingJob& job, int ahead) {
    LiveInfo info;
    info.jobs_ahead = ahead;
    const absl::Duration at = std::max(next_send, job.not_before);
    if (at > now) info.next_attempt_time = wall + (at - now);
    infos.emplace_back(job_id, info);
  });
  show_at_ = now + std::max(kShowEvery, kShowEveryPerJob * static_cast<int>(infos.size()));
  context_.deps().board.SetAll(std::move(infos));
  shown_ = true;
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

asio::awaitable<void> Dispatcher::Send(std::string job_id, WaitingJob waiting,
                                       std::shared_ptr<Lane> lane,
                                       std::shared_ptr<CountedPlace> place) {
  AttemptDriver::OnLate on_late = [this, lane](const AttemptReport& late) {
    OnLateReport(*lane, late);
  };
  const AttemptReport report = co_await driver_.Run(job_id, waiting.unsent_failures,
                                                    waiting.start_deadline, std::move(on_late));
  place.reset();
  OnReport(job_id, std::move(waiting), *lane, report);
}

void Dispatcher::Learn(Lane& lane, const AttemptReport& report, absl::Duration now) {
  if (report.kind == AttemptReport::Kind::kEveryoneRefused) {
    lane.breaker.OnEveryoneRefused(now);
    if (!std::exchange(lane.paused_told, true)) {
      context_.log().Error("dispatch_paused",
                           {{"by", "upstream"},
                            {"seconds", absl::ToDoubleSeconds(lane.breaker.hold_until() - now)}});
    }
  } else if (report.unclear) {
    lane.breaker.OnUnclear(now);
  } else if (report.answered) {
    lane.breaker.OnClear();
  }
  if (report.is_rate_limit) lane.pace.OnRateLimited(report.rate_limit, report.hold, now);
}

void Dispatcher::OnLateReport(Lane& lane, const AttemptReport& report) {
  // That the job is in doubt was counted when its answer was late.
  AttemptReport news = report;
  news.unclear = false;
  news.answered = report.answered && !report.unclear;
  Learn(lane, news, context_.clock().Uptime());
  shown_ = false;
  wake_.Notify();
}

void Dispatcher::OnReport(const std::string& job_id, WaitingJob waiting, Lane& lane,
                          const AttemptReport& report) {
  const absl::Duration now = context_.clock().Uptime();
  bool still_pending = false;
  switch (report.kind) {
    case AttemptReport::Kind::kGone:
    case AttemptReport::Kind::kSettled:
    case AttemptReport::Kind::kNoAnswerYet:
      break;
    case AttemptReport::Kind::kNotSent:
    case AttemptReport::Kind::kEqualPayload:
      ++waiting.unsent_failures;
      still_pending = true;
      break;
    case AttemptReport::Kind::kLeaseShort:
    case AttemptReport::Kind::kEveryoneRefused:
      still_pending = true;
      break;
  }
  Learn(lane, report, now);
  // A job that went back to PENDING by a decision was added by that decision already.
  if (still_pending && queue_.Find(job_id) == nullptr) {
    waiting.not_before = now + report.wait;
    queue_.Put(job_id, waiting);
  }
  queue_.Unblock(job_id);
  shown_ = false;
  wake_.Notify();
}

}  // namespace lumaedit
