#include "server/job/poller.h"

#include <algorithm>
#include <optional>

#include "server/base/crash_point.h"
#include "server/job/observation_rules.h"
#include "server/job/payload.h"
#include "server/job/state_rules.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kIdleWait = absl::Seconds(30);

// A record that is 404 by id is looked for among the newest of the list.
constexpr int kListLookupLimit = 20;
constexpr int kListLookupPages = 5;

}  // namespace

Poller::Poller(EngineContext& context)
    : context_(context), wake_(context.deps().executor, context.clock()) {}

asio::awaitable<void> Poller::Run() {
  const PollSettings& settings = context_.settings().poll;
  while (!context_.draining()) {
    const absl::Duration now = context_.clock().Uptime();
    if (due_.empty() || in_flight_ >= settings.in_flight) {
      co_await wake_.WaitFor(kIdleWait);
      continue;
    }
    const absl::Duration at = std::max(due_.begin()->first, next_slot_);
    if (at > now) {
      co_await wake_.WaitFor(at - now);
      continue;
    }
    context_.deps().metrics.PollLag(now - due_.begin()->first);
    const std::string job_id = due_.begin()->second;
    due_.erase(due_.begin());
    live_.at(job_id).asking = true;
    next_slot_ = std::max(next_slot_, now) + absl::Seconds(1) / settings.requests_per_second;
    auto place = std::make_shared<CountedPlace>(in_flight_);
    context_.tasks().Spawn("poll", Ask(job_id, std::move(place)),
                           [this, job_id](const std::string&) {
                             Reschedule(job_id, context_.settings().poll.old_interval);
                           });
  }
}

void Poller::Add(const Job& job, bool at_once) {
  const PollSettings& settings = context_.settings().poll;
  const auto known = live_.find(job.id);
  const bool is_new = known == live_.end();
  Live& live = is_new ? live_[job.id] : known->second;
  live.job = job;
  live.job.edit = Edit{};
  if (!is_new) return;

  const absl::Duration now = context_.clock().Uptime();
  // Counted in uptime from here on, so that a jump of the wall clock ends no job early.
  const absl::Duration age = std::clamp(context_.clock().Now() - job.accept_time,
                                        absl::ZeroDuration(), settings.job_deadline);
  live.since = now - age;
  live.deadline = now + settings.job_deadline - age;
  live.interval = settings.first;
  Schedule(live, job.id, at_once ? now : now + settings.first);
}

void Poller::Remove(const std::string& job_id) {
  const auto it = live_.find(job_id);
  if (it == live_.end()) return;
  due_.erase({it->second.due, job_id});
  live_.erase(it);
  context_.deps().board.Erase(job_id);
}

void Poller::Schedule(Live& live, const std::string& job_id, absl::Duration due) {
  due_.erase({live.due, job_id});
  live.due = due;
  live.asking = false;
  due_.insert({due, job_id});
  LiveInfo info;
  info.last_poll_time = live.last_poll;
  info.stalled =
      IsStalled(live.job, context_.settings().poll.stalled_after, context_.clock().Now());
  info.next_poll_time = context_.clock().Now() + (due - context_.clock().Uptime());
  context_.deps().board.Set(job_id, info);
  wake_.Notify();
}

void Poller::Reschedule(const std::string& job_id, absl::Duration at_least) {
  const auto it = live_.find(job_id);
  if (it == live_.end()) {
    wake_.Notify();
    return;
  }
  const PollSettings& settings = context_.settings().poll;
  Live& live = it->second;
  const absl::Duration now = context_.clock().Uptime();
  live.interval = std::min(live.interval * settings.growth, settings.most);
  if (now - live.since >= settings.old_age) live.interval = settings.old_interval;
  const double jitter = 1 + settings.jitter * (2 * context_.deps().random.Uniform() - 1);
  const absl::Duration wait = std::max(live.interval * jitter, at_least);
  // Never long past the deadline: it is this poll that finds it.
  Schedule(live, job_id, std::min(now + wait, std::max(live.deadline, now + settings.first)));
}

asio::awaitable<void> Poller::Ask(std::string job_id,
                                  [[maybe_unused]] std::shared_ptr<CountedPlace> place) {
  const auto found = live_.find(job_id);
  if (found == live_.end()) co_return;
  const std::string upstream_id = found->second.job.upstream_id;
  const std::string account = found->second.job.upstream_account;
  const Accounts::Reader reader = context_.accounts().ReaderFor(account);
  const absl::Time before =
      IsSet(found->second.last_poll) ? found->second.last_poll : found->second.job.accept_time;
  GetResult answer = co_await reader.upstream.Get(upstream_id);
  CrashPoint("poll.answered");
  context_.LearnDate(answer.upstream_date);

  std::optional<UpstreamRecord> record;
  if (answer.failure == ReadFailure::kNone) record = std::move(answer.record);
  if (answer.failure == ReadFailure::kNotFound) {
    record = co_await FindInList(reader.upstream, upstream_id);
  }
  if (answer.failure == ReadFailure::kKeyRefused) {
    context_.accounts().OnKeyRefused(reader.upstream);
    context_.log().Error("upstream_key_refused",
                         {{"job", job_id}, {"http_status", answer.http_status}});
  } else if (answer.failure != ReadFailure::kNone && answer.failure != ReadFailure::kNotFound) {
    context_.log().Warning("poll_failed", {{"job", job_id},
                                           {"upstream_id", upstream_id},
                                           {"http_status", answer.http_status},
                                           {"note", NoteToLog(answer.http_status, answer.note)}});
  }
  if (record && record->id != upstream_id) {
    context_.log().Warning("poll_answered_other_id",
                           {{"job", job_id}, {"upstream_id", upstream_id}});
    record.reset();
  }
  if (record) {
    co_await context_.accounts().OnOwnedRecord(reader.upstream, account, record->org_id);
    co_await Judge(job_id, *std::move(record), before, context_.clock().Now());
  }
  const bool unreachable = !record && !reader.same_account;
  if (unreachable) co_await MarkUnreachable(job_id);
  if (const auto it = live_.find(job_id);
      it != live_.end() && !unreachable && context_.clock().Uptime() >= it->second.deadline) {
    (co_await context_.Update(job_id, [](const JobView& view) {
      return DecideExpiry(view.job);
    })).IgnoreError();
  }
  Reschedule(job_id, answer.failure == ReadFailure::kKeyRefused
                         ? context_.settings().poll.old_interval
                         : answer.retry_after);
}

asio::awaitable<void> Poller::Judge(std::string job_id, UpstreamRecord record, absl::Time before,
                                    absl::Time now) {
  const auto it = live_.find(job_id);
  if (it == live_.end()) co_return;
  it->second.last_poll = now;
  const absl::Duration output_wait = context_.settings().poll.output_wait;
  const Observation seen{std::move(record), before, now};
  // Judged in memory first: nothing new costs no transaction.
  if (!DecideObservation(it->second.job, seen, output_wait)) co_return;
  EngineContext::OwnedDecide decide = [seen, output_wait](const JobView& view) {
    return DecideObservation(view.job, seen, output_wait);
  };
  auto change = co_await context_.Update(job_id, std::move(decide));
  if (change.ok()) CrashPoint("poll.committed");
}

asio::awaitable<void> Poller::MarkUnreachable(std::string job_id) {
  const auto it = live_.find(job_id);
  if (it == live_.end() || it->second.job.unreachable) co_return;
  context_.log().Error("job_unreachable", {{"job", job_id}});
  (co_await context_.Update(job_id,
                            [](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
                              if (!IsRunning(view.job.state)) return std::nullopt;
                              Decision decision;
                              decision.job = view.job;
                              decision.job.unreachable = true;
                              return decision;
                            }))
      .IgnoreError();
}

asio::awaitable<std::optional<UpstreamRecord>> Poller::FindInList(Upstream& upstream,
                                                                  std::string upstream_id) {
  ListQuery query;
  query.model = kEditModel;
  query.limit = kListLookupLimit;
  for (int page = 0; page < kListLookupPages; ++page) {
    // Counted under the cap for all reads, though not made to wait.
    next_slot_ += absl::Seconds(1) / context_.settings().poll.requests_per_second;
    ListResult answer = co_await upstream.List(query);
    if (answer.failure != ReadFailure::kNone) break;
    for (UpstreamRecord& record : answer.records) {
      if (record.id == upstream_id) co_return std::move(record);
    }
    if (answer.records.empty() || !answer.has_more.value_or(true)) break;
    query.offset += static_cast<int>(answer.records.size());
  }
  co_return std::nullopt;
}

}  // namespace lumaedit
