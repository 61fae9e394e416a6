#include "server/job/reconciler.h"

#include <algorithm>
#include <map>
#include <utility>

#include "server/base/crash_point.h"
#include "server/job/state_rules.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kIdleWait = absl::Seconds(30);

// Passes after a job became UNCONFIRMED; a last one follows at the end of the confirm window.
constexpr absl::Duration kPassOffsets[] = {absl::Seconds(2),  absl::Seconds(5), absl::Seconds(15),
                                           absl::Seconds(30), absl::Minutes(1), absl::Minutes(2),
                                           absl::Minutes(5)};

const Fact* RefusalInWords(const Attempt& attempt) {
  for (const Fact& fact : attempt.facts) {
    if (fact.kind == FactKind::kRefusedInWords) return &fact;
  }
  return nullptr;
}

}  // namespace

Reconciler::Reconciler(EngineContext& context)
    : context_(context), list_(context), wake_(context.deps().executor, context.clock()) {}

asio::awaitable<void> Reconciler::Run() {
  while (!context_.draining()) {
    const absl::Duration now = context_.clock().Uptime();
    std::vector<std::string> fresh;
    std::vector<std::string> held;
    for (const auto& [job_id, waiting] : waiting_) {
      if (waiting.due > now) continue;
      (waiting.state == JobState::kHeld ? held : fresh).push_back(job_id);
    }
    if (fresh.empty() && held.empty()) {
      co_await wake_.WaitFor(std::min(kIdleWait, EarliestDue() - now));
      continue;
    }
    // One reading of the list serves every fresh job in doubt. Held ones may lie far back, which
    // must not spend the pages of the others' pass.
    if (!fresh.empty()) co_await RunPass(fresh);
    if (!held.empty()) co_await RunPass(held);
    fresh.insert(fresh.end(), held.begin(), held.end());
    for (const std::string& job_id : fresh) {
      const auto it = waiting_.find(job_id);
      if (it != waiting_.end()) it->second.due = NextDue(it->second, context_.clock().Uptime());
    }
  }
}

void Reconciler::Add(const Job& job, bool at_once) {
  const auto known = waiting_.find(job.id);
  if (known != waiting_.end() && known->second.state == job.state) return;
  const absl::Duration now = context_.clock().Uptime();
  const absl::Duration age =
      std::max(absl::ZeroDuration(), context_.clock().Now() - job.state_time);
  Waiting waiting{.state = job.state,
                  .since = now - age,
                  .due = now,
                  .boot_time = known != waiting_.end() ? known->second.boot_time
                                                       : context_.clock().Now() - now};
  if (!at_once) waiting.due = NextDue(waiting, now);
  waiting_[job.id] = waiting;
  wake_.Notify();
}

void Reconciler::Remove(const std::string& job_id) { waiting_.erase(job_id); }

void Reconciler::LookNow(const std::string& job_id) {
  const auto it = waiting_.find(job_id);
  if (it == waiting_.end()) return;
  it->second.due = context_.clock().Uptime();
  wake_.Notify();
}

absl::Duration Reconciler::NextDue(const Waiting& waiting, absl::Duration now) const {
  const ReconcileSettings& settings = context_.settings().reconcile;
  const absl::Duration age = now - waiting.since;
  if (waiting.state == JobState::kHeld) {
    return now + (age < settings.held_day ? settings.held_interval : settings.held_old_interval);
  }
  for (const absl::Duration offset : kPassOffsets) {
    if (offset > age && offset < settings.confirm_window) return waiting.since + offset;
  }
  // Past the window only where the last pass could not make it HELD: the store was not there.
  return std::max(waiting.since + settings.confirm_window, now + absl::Seconds(1));
}

absl::Duration Reconciler::EarliestDue() const {
  absl::Duration earliest = absl::InfiniteDuration();
  for (const auto& [job_id, waiting] : waiting_) earliest = std::min(earliest, waiting.due);
  return earliest;
}

asio::awaitable<void> Reconciler::RunPass(std::vector<std::string> job_ids) {
  std::map<std::string, std::vector<JobView>> by_account;
  for (const std::string& job_id : job_ids) {
    auto view = co_await context_.View(job_id);
    if (!view.ok()) continue;
    if (!co_await StillOpen(*view)) continue;
    const std::string account = context_.accounts().Canonical(view->attempts.back().account);
    by_account[account].push_back(*std::move(view));
  }
  for (auto& [account, open] : by_account) co_await RunPassOf(account, std::move(open));
}

asio::awaitable<void> Reconciler::RunPassOf(std::string account, std::vector<JobView> open) {
  absl::Time from = absl::InfiniteFuture();
  for (const JobView& view : open) {
    from = std::min(from, WidestWindowOf(view.attempts.back(), context_.upstream_time(),
                                         context_.settings().reconcile)
                              .from);
  }
  const Accounts::Reader reader = context_.accounts().ReaderFor(account);
  // A key that is not learned may be of this very account: its list tells.
  const bool may_learn = !Accounts::IsLearned(context_.accounts().Canonical(reader.key));
  Pass pass;
  if (reader.same_account || may_learn) pass = co_await list_.Read(reader, from, open);
  // Whose list it was is not known: the jobs stay as they are until the next pass.
  if (pass.key_changed) co_return;
  if (!context_.accounts().IsKeyOf(reader.key, account)) {
    // Another account's list says nothing about it, neither that it exists nor that it does not.
    for (const JobView& view : open) {
      context_.log().Error("job_unreachable", {{"job", view.job.id}});
      co_await SetUnreachable(view, true);
      const Pass none;
      const std::vector<std::string> no_candidates;
      co_await HoldWhenOver(view, none, no_candidates);
    }
    co_return;
  }
  // Read after the list: an attempt sealed meanwhile competes for what the list shows.
  auto rivals = co_await Offload(context_.deps().store_worker, [this, &account] {
    return context_.deps().store.UnboundAttempts(account);
  });
  if (!rivals.ok()) co_return;
  WarnOfStrangers(pass, *rivals);
  for (JobView& view : open) {
    co_await SetUnreachable(view, false);
    co_await Judge(std::move(view), pass, *rivals);
  }
}

asio::awaitable<void> Reconciler::SetUnreachable(const JobView& view, bool unreachable) {
  if (view.job.unreachable == unreachable) co_return;
  (co_await context_.Update(
       view.job.id,
       [unreachable](const JobView& now) -> absl::StatusOr<std::optional<Decision>> {
         if (now.job.state != JobState::kUnconfirmed && now.job.state != JobState::kHeld) {
           return std::nullopt;
         }
         Decision decision;
         decision.job = now.job;
         decision.job.unreachable = unreachable;
         return decision;
       }))
      .IgnoreError();
}

asio::awaitable<bool> Reconciler::StillOpen(const JobView& view) {
  const JobState state = view.job.state;
  if (state != JobState::kUnconfirmed && state != JobState::kHeld) {
    Remove(view.job.id);
    co_return false;
  }
  if (view.attempts.empty()) {
    context_.log().Error("job_in_doubt_without_attempt", {{"job", view.job.id}});
    co_return false;
  }
  // A fact may have come late, or have been recorded by a process that ended before deciding.
  FactInput input;
  input.now = context_.clock().Now();
  input.most_refusals = context_.settings().dispatch.most_refusals;
  if (!DecideOnFacts(view, input)) co_return true;
  auto change = co_await context_.Update(
      view.job.id, [input](const JobView& now) { return DecideOnFacts(now, input); });
  // An id that another job owns proves nothing about this job: the search goes on.
  co_return !change.ok();
}

asio::awaitable<void> Reconciler::Judge(JobView view, const Pass& pass,
                                        const std::vector<UnboundAttempt>& rivals) {
  const ReconcileSettings& settings = context_.settings().reconcile;
  const Attempt& attempt = view.attempts.back();
  const Finding finding = FindRecord(pass, attempt, rivals, context_.upstream_time(), settings);
  const bool found_live =
      finding.kind == FindingKind::kAdopt && finding.record->status != UpstreamStatus::kFailed;
  if (found_live) {
    co_await Adopt(view, *finding.record);
  } else if (MayJudgeAbsence(view.job.id, attempt, pass)) {
    if (const Fact* refusal = RefusalInWords(attempt)) {
      co_await JudgeRefusedInWords(view, *refusal, finding, pass);
    } else if (finding.kind == FindingKind::kAdopt) {
      co_await Adopt(view, *finding.record);
    }
  }
  co_await HoldWhenOver(view, pass, finding.candidate_ids);
}

asio::awaitable<void> Reconciler::HoldWhenOver(const JobView& view, const Pass& pass,
                                               std::vector<std::string> candidates) {
  const auto it = waiting_.find(view.job.id);
  if (it == waiting_.end()) co_return;  // settled
  const bool window_over =
      context_.clock().Uptime() - it->second.since >= context_.settings().reconcile.confirm_window;
  const bool first_hold = it->second.state == JobState::kUnconfirmed && window_over;
  const absl::Time from =
      WidestWindowOf(view.attempts.back(), context_.upstream_time(), context_.settings().reconcile)
          .from;
  const bool new_candidates = it->second.state == JobState::kHeld && pass.Covers(from) &&
                              candidates != view.job.candidate_upstream_ids;
  if (first_hold || new_candidates) co_await Hold(view, std::move(candidates));
}

bool Reconciler::MayJudgeAbsence(const std::string& job_id, const Attempt& attempt,
                                 const Pass& pass) const {
  const ReconcileSettings& settings = context_.settings().reconcile;
  const UpstreamTime& time = context_.upstream_time();
  const auto it = waiting_.find(job_id);
  if (it == waiting_.end()) return false;
  // By both clocks: a jump of wall time must not make a record look missing that is only late.
  const absl::Duration in_doubt = context_.clock().Uptime() - it->second.since;
  if (in_doubt < settings.visibility + time.Doubt(settings) ||
      !VisibilityOver(attempt, time, settings, pass.read_time)) {
    return false;
  }
  // Where our clock was set meanwhile, the window of the attempt lies elsewhere than the record.
  const absl::Duration jumped =
      context_.clock().Now() - context_.clock().Uptime() - it->second.boot_time;
  if (absl::AbsDuration(jumped) > settings.clock_doubt || WasClockSet(attempt, time, settings)) {
    return false;
  }
  // Old records may have left the list.
  const bool is_young =
      pass.read_time - EndOf(attempt, settings.longest_attempt) <= settings.held_day;
  return is_young || pass.ReachesBack(WidestWindowOf(attempt, time, settings).from);
}

asio::awaitable<void> Reconciler::JudgeRefusedInWords(const JobView& view, const Fact& refusal,
                                                      const Finding& finding, const Pass& pass) {
  bool named_is_gone = true;
  if (!refusal.upstream_id.empty()) {
    const Accounts::Reader reader = context_.accounts().ReaderFor(view.attempts.back().account);
    if (!reader.same_account) co_return;
    GetResult named = co_await reader.upstream.Get(refusal.upstream_id);
    if (named.key != reader.key) co_return;
    if (named.failure == ReadFailure::kNone && named.record.id == refusal.upstream_id &&
        named.record.status != UpstreamStatus::kFailed) {
      co_await Adopt(view, std::move(named.record));
      co_return;
    }
    // What the list shows is not gone, however its time and echo look.
    const auto listed = std::find_if(
        pass.unowned.begin(), pass.unowned.end(),
        [&](const UpstreamRecord& record) { return record.id == refusal.upstream_id; });
    const bool is_listed = listed != pass.unowned.end();
    const bool is_missing = named.failure == ReadFailure::kNotFound;
    const bool reads_failed =
        (named.failure == ReadFailure::kNone && named.record.status == UpstreamStatus::kFailed) ||
        (is_missing && is_listed && !listed->is_partial &&
         listed->status == UpstreamStatus::kFailed);
    named_is_gone = is_missing && !is_listed;
    if (!reads_failed && !named_is_gone) co_return;
    if (reads_failed && context_.settings().reconcile.retry_capacity_refusal) {
      co_await RecordNotAccepted(view, "the record that the refusal named reads failed");
      co_return;
    }
  }
  if (!context_.settings().reconcile.retry_capacity_refusal) co_return;
  if (finding.kind == FindingKind::kAdopt) {
    co_await RecordNotAccepted(view, "the only record that fits reads failed");
  } else if (finding.kind == FindingKind::kNothing && named_is_gone) {
    co_await RecordNotAccepted(view, "refused in words, and nothing is listed");
  }
}

asio::awaitable<void> Reconciler::Adopt(const JobView& view, UpstreamRecord record) {
  CrashPoint("reconcile.matched");
  const Attempt attempt = view.attempts.back();
  const absl::Time now = context_.clock().Now();
  const std::string job_id = view.job.id;
  const std::string upstream_id = record.id;
  if (record.outcome) record.outcome->read_time = now;
  FactInput input;
  input.now = now;
  input.most_refusals = context_.settings().dispatch.most_refusals;
  const auto adopt = [&](const FactInput& facts) -> EngineContext::OwnedDecide {
    return [attempt, now, facts,
            record](const JobView& current) -> absl::StatusOr<std::optional<Decision>> {
      // An answer may have become a fact since the list was read.
      if (auto told = DecideOnFacts(current, facts)) return told;
      const JobState state = current.job.state;
      if (state != JobState::kUnconfirmed && state != JobState::kHeld) return std::nullopt;
      Decision decision;
      decision.job = current.job;
      // Its account may have been learned since the view was read.
      const auto mine =
          std::find_if(current.attempts.begin(), current.attempts.end(),
                       [&](const Attempt& other) { return other.number == attempt.number; });
      if (mine == current.attempts.end()) return std::nullopt;
      Accept(decision.job, mine->account, record.id, record.status_word, record.outcome,
             record.error, now);
      decision.bind_attempt = attempt.number;
      decision.not_before = attempt.seal_time;
      decision.not_after = now;
      return decision;
    };
  };
  EngineContext::OwnedDecide decide = adopt(input);
  auto change = co_await context_.Update(job_id, std::move(decide));
  if (absl::IsAlreadyExists(change.status())) {
    // The id that a fact names is owned by another job: it says nothing about this one.
    input.distrust_accepted = true;
    decide = adopt(input);
    change = co_await context_.Update(job_id, std::move(decide));
  }
  if (change.ok() && !change->job.upstream_id.empty()) {
    CrashPoint("reconcile.adopted");
    context_.log().Info("record_adopted",
                        {{"job", job_id}, {"upstream_id", change->job.upstream_id}});
  } else if (absl::IsAlreadyExists(change.status())) {
    context_.log().Error("upstream_id_owned_twice",
                         {{"job", job_id}, {"upstream_id", upstream_id}});
  }
}

asio::awaitable<void> Reconciler::RecordNotAccepted(const JobView& view, std::string note) {
  Fact fact;
  fact.kind = FactKind::kNotAccepted;
  fact.record_time = context_.clock().Now();
  fact.note = std::move(note);
  const absl::Status recorded =
      co_await context_.RecordFact(view.job.id, view.attempts.back().number, fact, /*ended=*/false);
  if (!recorded.ok()) co_return;
  FactInput input;
  input.now = fact.record_time;
  input.most_refusals = context_.settings().dispatch.most_refusals;
  input.wait = BackoffDelay(context_.settings().dispatch.retry, view.job.refusals + 1,
                            context_.deps().random);
  (co_await context_.Update(view.job.id, [input](const JobView& now) {
    return DecideOnFacts(now, input);
  })).IgnoreError();
}

asio::awaitable<void> Reconciler::Hold(const JobView& view, std::vector<std::string> candidates) {
  const bool first = view.job.state == JobState::kUnconfirmed;
  FactInput input;
  input.now = context_.clock().Now();
  input.most_refusals = context_.settings().dispatch.most_refusals;
  const auto hold = [&candidates](const FactInput& facts) -> EngineContext::OwnedDecide {
    return [candidates, facts](const JobView& now) -> absl::StatusOr<std::optional<Decision>> {
      // An answer may have become a fact since the job was looked at.
      if (auto told = DecideOnFacts(now, facts)) return told;
      const JobState state = now.job.state;
      if (state != JobState::kUnconfirmed && state != JobState::kHeld) return std::nullopt;
      Decision decision;
      decision.job = now.job;
      decision.job.state = JobState::kHeld;
      decision.job.charge.state = ChargeState::kUncertain;
      decision.job.candidate_upstream_ids = candidates;
      return decision;
    };
  };
  EngineContext::OwnedDecide decide = hold(input);
  auto change = co_await context_.Update(view.job.id, std::move(decide));
  if (absl::IsAlreadyExists(change.status())) {
    // The id that a fact names is owned by another job: it says nothing about this one.
    input.distrust_accepted = true;
    decide = hold(input);
    change = co_await context_.Update(view.job.id, std::move(decide));
  }
  if (first && change.ok() && change->job.state == JobState::kHeld) {
    context_.log().Error(
        "job_held", {{"job", view.job.id}, {"candidates", static_cast<int>(candidates.size())}});
  }
}

void Reconciler::WarnOfStrangers(const Pass& pass, const std::vector<UnboundAttempt>& rivals) {
  const auto strangers =
      std::count_if(pass.unowned.begin(), pass.unowned.end(), [&](const UpstreamRecord& record) {
        return !record.is_partial &&
               std::none_of(rivals.begin(), rivals.end(), [&](const UnboundAttempt& rival) {
                 return Fits(record, rival.attempt, context_.upstream_time(),
                             context_.settings().reconcile);
               });
      });
  context_.deps().metrics.UnknownUpstreamRecords(static_cast<int>(strangers));
  if (strangers == 0) return;
  // One key belongs to one gateway: a stranger's equal edit could be taken for ours.
  context_.log().Warning("unknown_upstream_records", {{"count", static_cast<int>(strangers)}});
}

}  // namespace lumaedit
