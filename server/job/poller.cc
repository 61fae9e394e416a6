#include "server/job/poller.h"

#include <algorithm>
#include <utility>

#include "server/base/crash_point.h"
#include "server/job/observation_rules.h"
#include "server/job/state_rules.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kIdleWait = absl::Seconds(30);

// A job that so many pages did not show is asked about by its id.
constexpr int kMostPassedOver = 2;

}  // namespace

Poller::Poller(EngineContext& context)
    : context_(context),
      wake_(context.deps().executor, context.clock()),
      schedule_(context.settings().poll),
      sweeper_(context) {}

asio::awaitable<void> Poller::Run() {
  while (!context_.draining()) {
    if (in_flight_ >= context_.settings().poll.in_flight) {
      co_await wake_.WaitFor(kIdleWait);
      continue;
    }
    // One look for all: what is due now is not yet due at an earlier one.
    const absl::Duration now = context_.clock().Uptime();
    const absl::Duration due = NextDue(now);
    if (due > now) {
      co_await wake_.WaitFor(std::min(due - now, kIdleWait));
      continue;
    }
    AskNext(now);
  }
}

absl::Duration Poller::NextDue(absl::Duration now) {
  sweeper_.NoticeKey();
  const bool sweeps = sweeper_.IsOn(schedule_.size());
  const absl::Duration seeks_until = sweeps ? sweeper_.SeeksUntil() : -absl::InfiniteDuration();
  if (schedule_.has_aside() && seeks_until <= now) schedule_.PutAllBack();
  absl::Duration due = absl::InfiniteDuration();
  if (const PolledJob* first = schedule_.First()) due = first->due;
  if (schedule_.has_aside()) due = std::min(due, seeks_until);
  if (sweeps) due = std::min(due, sweeper_.WalkDue(now));
  return std::max(due, next_slot_);
}

void Poller::AskNext(absl::Duration now) {
  const bool sweeps = sweeper_.IsOn(schedule_.size());
  PolledJob* job = schedule_.First();
  if (job != nullptr && job->due > now) job = nullptr;
  if (sweeps && sweeper_.WalkDue(now) <= now && (job == nullptr || walk_is_next_)) {
    walk_is_next_ = false;
    return Walk();
  }
  walk_is_next_ = true;
  if (job == nullptr) return;
  if (sweeps && job->passed_over < kMostPassedOver && sweeper_.MayServe(job->job)) {
    if (sweeper_.IsSought(job->job, now)) return schedule_.PutAside(*job);
    const auto useful = [&](const std::string& upstream_id) {
      const PolledJob* other = schedule_.FindRecord(upstream_id);
      return other != nullptr && other->passed_over < kMostPassedOver &&
             PollSchedule::IsNearlyDue(*other, now);
    };
    if (auto page = sweeper_.Plan(job->job, useful)) {
      context_.deps().metrics.PollLag(now - job->due);
      return AskPage(*std::move(page));
    }
  }
  context_.deps().metrics.PollLag(now - job->due);
  AskById(*job);
}

void Poller::Spend() {
  next_slot_ = std::max(next_slot_, context_.clock().Uptime()) +
               absl::Seconds(1) / context_.settings().poll.requests_per_second;
}

Poller::Place Poller::SpendOnPoll() {
  Spend();
  return std::make_shared<CountedPlace>(in_flight_);
}

void Poller::Wake() {
  wake_.Notify();
  for (Signal* const waiting : awaiting_turn_) waiting->Notify();
}

absl::Duration Poller::TurnIn() const {
  return std::max(next_turn_ - context_.clock().Uptime(), absl::ZeroDuration());
}

asio::awaitable<bool> Poller::AwaitTurn(ReadFor whom) {
  const bool is_running = whom == ReadFor::kRunningJob;
  absl::Duration& next = is_running ? next_slot_ : next_turn_;
  const absl::Duration turn = std::max(next, context_.clock().Uptime());
  next =
      turn + (is_running ? 1 : 2) * absl::Seconds(1) / context_.settings().poll.requests_per_second;
  Signal waiting(context_.deps().executor, context_.clock());
  // Taken out however this coroutine ends.
  const auto take_out = [this](Signal* signal) { awaiting_turn_.erase(signal); };
  const std::unique_ptr<Signal, decltype(take_out)> registered(
      *awaiting_turn_.insert(&waiting).first, take_out);
  while (!context_.draining() && context_.clock().Uptime() < turn) {
    co_await waiting.WaitFor(turn - context_.clock().Uptime());
  }
  if (context_.draining()) co_return false;
  if (!is_running) Spend();
  co_return true;
}

void Poller::AskById(PolledJob& job) {
  schedule_.Ask(job);
  const std::string job_id = job.job.id;
  context_.tasks().Spawn("poll", Ask(job_id, SpendOnPoll()), [this, job_id](const std::string&) {
    Reschedule(job_id, context_.settings().poll.old_interval);
  });
}

void Poller::AskPage(SweepPage page) {
  const auto unjudged = std::make_shared<std::set<std::string>>();
  for (const std::string& upstream_id : page.serves) {
    PolledJob& job = *schedule_.FindRecord(upstream_id);
    schedule_.Ask(job);
    unjudged->insert(job.job.id);
  }
  context_.tasks().Spawn("poll_page",
                         Serve(sweeper_.Read(std::move(page)), unjudged, SpendOnPoll()),
                         [this, unjudged](const std::string&) { GiveUp(*unjudged); });
}

void Poller::Walk() {
  const auto unjudged = std::make_shared<std::set<std::string>>();
  context_.tasks().Spawn("poll_walk", Serve(sweeper_.Walk(), unjudged, SpendOnPoll()),
                         [this, unjudged](const std::string&) {
                           sweeper_.ForgetWalk();
                           GiveUp(*unjudged);
                         });
}

void Poller::Add(const Job& job, bool at_once) {
  // Counted in uptime from here on, so that a jump of the wall clock ends no job early.
  const absl::Duration age =
      std::clamp(context_.clock().Now() - job.accept_time, absl::ZeroDuration(),
                 context_.settings().poll.job_deadline);
  const absl::Duration uptime = context_.clock().Uptime();
  const PolledJob* known = schedule_.Find(job.id);
  const bool is_change = known != nullptr && known->job.change_time != job.change_time;
  const bool is_new = schedule_.Add(job, uptime, age, at_once);
  PolledJob& polled = *schedule_.Find(job.id);
  if (is_change) polled.changed = uptime;
  if (!is_new) return;
  polled.changed = uptime - std::clamp(context_.clock().Now() - job.change_time,
                                       absl::ZeroDuration(), context_.settings().poll.output_wait);
  sweeper_.Track(job, /*is_newest=*/!at_once);
  Show(*schedule_.Find(job.id));
  wake_.Notify();
}

void Poller::Remove(const std::string& job_id) {
  PolledJob* job = schedule_.Find(job_id);
  if (job == nullptr) return;
  sweeper_.Untrack(job->job);
  schedule_.Remove(job_id);
  context_.deps().board.Erase(job_id);
}

void Poller::Show(const PolledJob& job) {
  LiveInfo info;
  const absl::Time now = context_.clock().Now();
  info.last_poll_time = job.last_poll;
  info.stalled = IsStalled(job.job, context_.settings().poll.stalled_after, now);
  info.next_poll_time = now + (job.due - context_.clock().Uptime());
  context_.deps().board.Set(job.job.id, info);
}

void Poller::PutBack(const std::string& job_id) {
  if (PolledJob* job = schedule_.Find(job_id)) schedule_.PutBack(*job);
  wake_.Notify();
}

void Poller::GiveUp(const std::set<std::string>& unjudged) {
  for (const std::string& job_id : unjudged) {
    if (PolledJob* job = schedule_.Find(job_id)) job->passed_over = kMostPassedOver;
    Reschedule(job_id, context_.settings().poll.old_interval);
  }
}

void Poller::Reschedule(const std::string& job_id, absl::Duration at_least) {
  if (PolledJob* job = schedule_.Find(job_id)) {
    const double swing = 2 * context_.deps().random.Uniform() - 1;
    schedule_.AskAgain(*job, context_.clock().Uptime(), at_least, swing);
    Show(*job);
  }
  wake_.Notify();
}

asio::awaitable<void> Poller::Ask(std::string job_id, [[maybe_unused]] Place place) {
  PolledJob* job = schedule_.Find(job_id);
  if (job == nullptr) co_return;
  job->passed_over = 0;
  const std::string upstream_id = job->job.upstream_id;
  const std::string account = job->job.upstream_account;
  const Accounts::Reader reader = context_.accounts().ReaderFor(account);
  const absl::Time asked = context_.clock().Now();
  RecordRead read = co_await Read(reader, upstream_id, ReadFor::kRunningJob);
  CrashPoint("poll.answered");
  // What another key read is no word about this one's account.
  if (read.key_changed) co_return PutBack(job_id);
  const GetResult& answer = read.answer;
  std::optional<UpstreamRecord>& record = read.record;
  if (answer.failure == ReadFailure::kKeyRefused) context_.accounts().OnKeyRefused(reader);
  LogFailure(job_id, upstream_id, answer);
  if (record && record->id != upstream_id) {
    context_.log().Warning("poll_answered_other_id",
                           {{"job", job_id}, {"upstream_id", upstream_id}});
    record.reset();
  }
  if (record) {
    context_.deps().metrics.Observed(/*from_list=*/false);
    co_await context_.accounts().OnOwnedRecord(reader.key, account, record->org_id);
  } else if (!reader.same_account) {
    co_await MarkUnreachable(job_id);
    co_return Reschedule(job_id, answer.failure == ReadFailure::kKeyRefused
                                     ? context_.settings().poll.old_interval
                                     : answer.retry_after);
  }
  co_await Conclude(job_id, std::move(record), asked,
                    answer.failure == ReadFailure::kKeyRefused
                        ? context_.settings().poll.old_interval
                        : answer.retry_after);
}

void Poller::LogFailure(const std::string& job_id, const std::string& upstream_id,
                        const GetResult& answer) {
  if (answer.failure == ReadFailure::kNone || answer.failure == ReadFailure::kNotFound) return;
  if (answer.failure == ReadFailure::kKeyRefused) {
    context_.log().Error("upstream_key_refused",
                         {{"job", job_id}, {"http_status", answer.http_status}});
    return;
  }
  context_.log().Warning("poll_failed", {{"job", job_id},
                                         {"upstream_id", upstream_id},
                                         {"http_status", answer.http_status},
                                         {"note", NoteToLog(answer.http_status, answer.note)}});
}

asio::awaitable<void> Poller::Serve(asio::awaitable<Reading> page, Unjudged unjudged,
                                    [[maybe_unused]] Place place) {
  Reading reading = co_await std::move(page);
  wake_.Notify();
  if (!reading) {
    // Whatever was wrong with the page: each is asked by itself once.
    for (const std::string& job_id : *unjudged) {
      if (PolledJob* job = schedule_.Find(job_id)) job->passed_over = kMostPassedOver;
      PutBack(job_id);
    }
    co_return;
  }
  const std::string key = reading->key;
  const absl::Time asked = reading->asked;
  std::vector<Seen> seen = Sort(*std::move(reading), *unjudged);
  for (Seen& one : seen) {
    co_await context_.accounts().OnOwnedRecord(key, one.account, one.record.org_id);
    const PolledJob* job = schedule_.Find(one.job_id);
    if (job == nullptr) continue;
    const bool is_due = context_.clock().Uptime() >= job->deadline;
    const absl::Time now = context_.clock().Now();
    const absl::Duration unchanged_for = context_.clock().Uptime() - job->changed;
    const bool is_news =
        DecideObservation(job->job, {one.record, job->last_asked, now, unchanged_for},
                          context_.settings().poll.output_wait)
            .has_value();
    auto conclusion = Conclude(one.job_id, std::move(one.record), asked, absl::ZeroDuration());
    if (!is_news && !is_due) {
      co_await std::move(conclusion);
      unjudged->erase(one.job_id);
      continue;
    }
    // Side by side, so that they share a commit.
    context_.tasks().Spawn("poll_judge", std::move(conclusion),
                           [this, job_id = one.job_id](const std::string&) {
                             Reschedule(job_id, context_.settings().poll.old_interval);
                           });
    unjudged->erase(one.job_id);
  }
}

std::vector<Poller::Seen> Poller::Sort(ListSweeper::Reading page, std::set<std::string>& unjudged) {
  std::set<std::string> missing = unjudged;
  std::vector<Seen> seen;
  for (UpstreamRecord& record : page.records) {
    PolledJob* job = schedule_.FindRecord(record.id);
    if (job == nullptr || !sweeper_.MayServe(job->job)) continue;
    if (!context_.accounts().IsKeyOf(page.key, job->job.upstream_account)) continue;
    const bool is_planned = missing.contains(job->job.id);
    // Its own answer is under way, or came from a later reading.
    if (!is_planned && (job->phase == PollPhase::kAsked || job->last_asked >= page.asked)) continue;
    if (!MayJudgeFromList(record)) {
      job->passed_over = kMostPassedOver;
      continue;
    }
    missing.erase(job->job.id);
    job->passed_over = 0;
    unjudged.insert(job->job.id);
    schedule_.Ask(*job);
    context_.deps().metrics.Observed(/*from_list=*/true);
    seen.push_back({job->job.id, job->job.upstream_account, std::move(record)});
  }
  for (const std::string& job_id : missing) {
    PolledJob* job = schedule_.Find(job_id);
    if (job == nullptr) continue;
    ++job->passed_over;
    if (!page.was_stopped && job->passed_over >= kMostPassedOver) sweeper_.Displace(job->job);
    schedule_.PutBack(*job);
    unjudged.erase(job_id);
  }
  return seen;
}

asio::awaitable<void> Poller::Conclude(std::string job_id, std::optional<UpstreamRecord> record,
                                       absl::Time asked, absl::Duration at_least) {
  if (record) co_await Judge(job_id, *std::move(record), asked);
  const PolledJob* job = schedule_.Find(job_id);
  if (job != nullptr && context_.clock().Uptime() >= job->deadline) {
    (co_await context_.Update(job_id, [](const JobView& view) {
      return DecideExpiry(view.job);
    })).IgnoreError();
  }
  Reschedule(job_id, at_least);
}

asio::awaitable<void> Poller::Judge(std::string job_id, UpstreamRecord record, absl::Time asked) {
  PolledJob* job = schedule_.Find(job_id);
  if (job == nullptr) co_return;
  const absl::Time now = context_.clock().Now();
  // What the poll before did not see happened after that one was asked.
  const Observation seen{std::move(record), job->last_asked, now,
                         context_.clock().Uptime() - job->changed};
  job->last_poll = now;
  job->last_asked = asked;
  const absl::Duration output_wait = context_.settings().poll.output_wait;
  // Judged in memory first: nothing new costs no transaction.
  if (!DecideObservation(job->job, seen, output_wait)) co_return;
  EngineContext::OwnedDecide decide = [seen, output_wait](const JobView& view) {
    Observation since = seen;
    if (!IsSet(since.not_before)) since.not_before = SealOf(view);
    return DecideObservation(view.job, since, output_wait);
  };
  auto change = co_await context_.Update(job_id, std::move(decide));
  if (!change.ok()) {
    // Nobody knows it yet: to the next poll it is not what happened after this one.
    if (PolledJob* left = schedule_.Find(job_id)) left->last_asked = seen.not_before;
    co_return;
  }
  CrashPoint("poll.committed");
  if (change->transition) {
    const Transition& known = *change->transition;
    context_.deps().metrics.DetectionDelay(
        std::max(known.record_time - known.not_after, absl::ZeroDuration()),
        std::max(known.record_time - known.not_before, absl::ZeroDuration()));
  }
}

asio::awaitable<void> Poller::MarkUnreachable(std::string job_id) {
  const PolledJob* job = schedule_.Find(job_id);
  if (job == nullptr || job->job.unreachable) co_return;
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

asio::awaitable<Poller::RecordRead> Poller::Read(Accounts::Reader reader, std::string upstream_id,
                                                 ReadFor whom) {
  RecordRead read;
  read.answer = co_await reader.upstream.Get(upstream_id);
  context_.LearnDate(read.answer.upstream_date);
  read.key_changed = read.answer.key != reader.key;
  if (read.key_changed) co_return read;
  if (read.answer.failure == ReadFailure::kNone) read.record = std::move(read.answer.record);
  if (read.answer.failure != ReadFailure::kNotFound) co_return read;
  // The list of another account has nothing to say either.
  if (!reader.same_account && Accounts::IsLearned(context_.accounts().Canonical(reader.key))) {
    co_return read;
  }
  const auto turn = [this, whom] { return AwaitTurn(whom); };
  ListSweeper::Found found = co_await sweeper_.Find(reader, std::move(upstream_id), turn);
  read.record = std::move(found.record);
  read.key_changed = found.key_changed;
  co_return read;
}

}  // namespace lumaedit
