#include "tests/model_based/reference_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

using enum JobState;

// protocol.md section 1, a row a state.
const std::map<JobState, std::set<JobState>> kMayGoTo = {
    {kPending, {kSubmitting, kCancelled, kFailed}},
    {kSubmitting, {kPending, kCancelled, kQueued, kProcessing, kSucceeded, kFailed, kUnconfirmed}},
    {kUnconfirmed, {kPending, kCancelled, kQueued, kProcessing, kSucceeded, kFailed, kHeld}},
    {kHeld, {kPending, kQueued, kProcessing, kSucceeded, kFailed, kCancelled}},
    {kQueued, {kProcessing, kSucceeded, kFailed, kCancelled, kExpired}},
    {kProcessing, {kSucceeded, kFailed, kCancelled, kExpired}},
};
// Of the budget: the UTC month in which SteppedWorld begins.
const absl::Time kWindow = absl::FromCivil(absl::CivilMonth(2027, 1), absl::UTCTimeZone());

const std::set<JobState> kFinal = {kSucceeded, kFailed, kCancelled, kExpired};

// protocol.md section 5. `upstream_id`: of the job; it says whether something was accepted.
std::set<ChargeState> ChargesOf(JobState state, const std::optional<JobError>& error,
                                const std::string& upstream_id) {
  switch (state) {
    case kPending:
    case kSubmitting:
      return {ChargeState::kReserved};
    case kUnconfirmed:
    case kHeld:
    case kExpired:
      return {ChargeState::kUncertain};
    case kQueued:
    case kProcessing:
    case kSucceeded:
      return {ChargeState::kIncurred};
    case kFailed:
      if (error && (error->reason == ErrorReason::kSubmissionUnresolved ||
                    error->reason == ErrorReason::kUpstreamOutputMissing)) {
        return {ChargeState::kUncertain};
      }
      return {ChargeState::kReleased};
    case kCancelled:
      return {upstream_id.empty() ? ChargeState::kReleased : ChargeState::kUncertain};
  }
  return {};
}

// This Abseil knows its own string_view only.
std::string Name(JobState state) { return std::string(JobStateName(state)); }

bool IsLive(const FakeRecord& record) { return record.course.back().word != "failed"; }

// Nothing can have been accepted for a job that says so.
bool SaysUnpaid(const ReferenceModel::KnownJob& job) {
  return job.state == kPending || (job.charge == ChargeState::kReleased && job.upstream_id.empty());
}

}  // namespace

void ReferenceModel::Problem(const std::string& job_id, const std::string& what) {
  const auto it = jobs_.find(job_id);
  problems_.push_back(
      absl::StrCat("job ", job_id,
                   it == jobs_.end() ? "" : absl::StrCat(" ", Name(it->second.state)), ": ", what));
}

void ReferenceModel::Acknowledged(const SubmitRequest& request, const Job& job) {
  for (const auto& [id, known] : jobs_) {
    if (known.request.caller != request.caller || known.request.request_id != request.request_id) {
      continue;
    }
    if (id != job.id) Problem(id, "its request_id was answered with another job");
    if (job.sequence < known.sequence) Problem(id, "a repeat was answered with an older state");
    return;
  }
  if (job.state != kPending || job.sequence != 1) Problem(job.id, "a new job is not PENDING");
  KnownJob known;
  known.request = request;
  known.price = job.quote.max_usd_micros;
  jobs_[job.id] = std::move(known);
  order_.push_back(job.id);
  by_prompt_[request.edit.prompt].push_back(job.id);
}

void ReferenceModel::Refused(const std::string& what, const absl::Status& status) {
  problems_.push_back(absl::StrCat(what, " was refused: ", status.ToString()));
}

void ReferenceModel::Cancelled(const std::string& job_id, CancelResult result) {
  KnownJob& job = jobs_.at(job_id);
  if (job.cancel != CancelResult::kNone && job.cancel != CancelResult::kTooLate &&
      job.cancel != result) {
    Problem(job_id, "a repeated cancel was answered differently");
  }
  const bool fits = job.cancel != CancelResult::kNone ||
                    result == (job.state == kPending        ? CancelResult::kPrevented
                               : kFinal.contains(job.state) ? CancelResult::kTooLate
                                                            : CancelResult::kRecordedMayBill);
  if (!fits) Problem(job_id, absl::StrCat("cancel said ", static_cast<int>(result)));
  job.cancel = result;
}

void ReferenceModel::AdoptedByHand(const Job& job) {
  chosen_prompts_.insert(job.edit.prompt);
  const FakeRecord* record = world_.upstream.Find(job.upstream_id);
  // Where reads fail, the person's choice is made without a look at the echo.
  const bool was_seen = world_.View(job.id).attempts.back().by_hand == HandBinding::kEqualEcho;
  if (record == nullptr || record->empty_echo || record->without_time || !was_seen) {
    chosen_blindly_ = true;
  }
}

void ReferenceModel::Watched(const std::string& job_id, const std::vector<Transition>& seen) {
  std::vector<Transition>& all = jobs_.at(job_id).seen;
  for (const Transition& transition : seen) {
    if (transition.sequence != static_cast<int>(all.size()) + 1) {
      Problem(job_id, absl::StrCat("its watcher saw ", transition.sequence, " after ", all.size()));
    }
    all.push_back(transition);
  }
}

void ReferenceModel::Check() {
  std::set<std::string> changed;
  std::set<std::string> callers;
  for (const auto& [id, job] : jobs_) callers.insert(job.request.caller);
  for (const std::string& caller : callers) {
    const auto changes = world_.store().Changes(caller, newest_change_[caller], 100'000);
    if (!changes.ok()) return Refused("reading changes", changes.status());
    for (const JobTransition& change : *changes) {
      See(caller, change);
      changed.insert(change.job_id);
    }
  }
  // What is learned after the end settles the charge without a transition.
  for (const auto& [id, job] : jobs_) {
    if (kFinal.contains(job.state) && job.charge == ChargeState::kUncertain) changed.insert(id);
  }
  for (const std::string& id : changed) CheckJob(id);
  if (!changed.empty()) CheckMoney();
  CheckLedger();
}

void ReferenceModel::See(const std::string& caller, const JobTransition& change) {
  const Transition& transition = change.transition;
  const auto it = jobs_.find(change.job_id);
  if (it == jobs_.end() || it->second.request.caller != caller) {
    return Problem(change.job_id, "nobody submitted it");
  }
  KnownJob& job = it->second;
  if (transition.change != ++newest_change_[caller])
    Problem(it->first, "a change number is missing");
  if (transition.sequence != job.sequence + 1) Problem(it->first, "a sequence number is missing");
  if (job.sequence == 0) {
    if (transition.state != kPending) Problem(it->first, "it did not begin as PENDING");
  } else {
    const auto row = kMayGoTo.find(job.state);
    if (row == kMayGoTo.end() || !row->second.contains(transition.state) ||
        transition.previous_state != job.state) {
      Problem(it->first, absl::StrCat("it went to ", Name(transition.state)));
    }
    if (transition.record_time < job.since) Problem(it->first, "time went back");
  }
  if (transition.state == kSubmitting) job.sealed = transition.record_time;
  if (transition.state == kUnconfirmed) job.in_doubt_since = transition.record_time;
  if (transition.state == kHeld &&
      transition.record_time - job.in_doubt_since < world_.settings.reconcile.confirm_window) {
    Problem(it->first, "HELD before the confirm window was over");
  }
  job.state = transition.state;
  job.charge = transition.charge.state;
  job.sequence = transition.sequence;
  job.since = transition.record_time;
}

void ReferenceModel::CheckJob(const std::string& job_id) {
  const JobView view = world_.View(job_id);
  const Job& job = view.job;
  KnownJob& known = jobs_.at(job_id);
  const bool is_late = IsSet(job.late_outcome_time) && kFinal.contains(job.state);
  if (is_late && job.charge.state != ChargeState::kReserved) known.charge = job.charge.state;
  if (job.state != known.state || job.sequence != known.sequence ||
      job.charge.state != known.charge) {
    Problem(job_id, "the job is not what its transitions say");
  }
  if (!is_late && !ChargesOf(job.state, job.error, job.upstream_id).contains(job.charge.state)) {
    Problem(job_id, absl::StrCat("its charge is ", static_cast<int>(job.charge.state)));
  }
  if (IsSet(job.end_time) != kFinal.contains(job.state)) Problem(job_id, "its end time is wrong");
  if ((job.state == kFailed) != job.error.has_value()) Problem(job_id, "its error is wrong");
  if (!is_late && (job.state == kSucceeded) != job.outcome.has_value())
    Problem(job_id, "its outcome is wrong");
  if (job.edit.prompt != known.request.edit.prompt) Problem(job_id, "its edit changed");
  if (!known.upstream_id.empty() && known.upstream_id != job.upstream_id) {
    Problem(job_id, "it changed its record");
  }
  if (!job.upstream_id.empty()) {
    known.upstream_id = job.upstream_id;
    const std::string& owner = owner_of_record_.try_emplace(job.upstream_id, job_id).first->second;
    if (owner != job_id) Problem(job_id, "its record is another job's too");
    const FakeRecord* record = world_.upstream.Find(job.upstream_id);
    // A person may choose a record that does not say whose it is, and be wrong.
    if (record == nullptr || (record->payload.prompt != job.edit.prompt && !record->empty_echo)) {
      Problem(job_id, "its record is another edit's");
    }
  }
  // Sent again only when every earlier attempt is known not to have been accepted (rule 1).
  for (const Attempt& attempt : view.attempts) {
    const bool is_newest = attempt.number == view.attempts.back().number;
    const bool must_be_settled = !is_newest || job.state == kPending;
    const bool settled =
        std::any_of(attempt.facts.begin(), attempt.facts.end(), [](const Fact& fact) {
          return fact.kind == FactKind::kNotAccepted || fact.kind == FactKind::kEveryoneRefused;
        });
    if (must_be_settled && !settled)
      Problem(job_id, "it may be sent though an attempt is in doubt");
  }
}

void ReferenceModel::CheckMoney() {
  struct Sums {
    std::int64_t reserved = 0, incurred = 0, uncertain = 0;
  };
  std::map<std::string, Sums> sums;
  for (const auto& [id, job] : jobs_) {
    Sums& mine = sums[job.request.caller];
    if (job.charge == ChargeState::kReserved) mine.reserved += job.price;
    if (job.charge == ChargeState::kIncurred) mine.incurred += job.price;
    if (job.charge == ChargeState::kUncertain) mine.uncertain += job.price;
  }
  for (const auto& [caller, mine] : sums) {
    // A life lasts less than a month: everything is in one window.
    const auto budget = world_.store().GetBudget(caller, kWindow);
    if (!budget.ok()) return Refused("reading the budget", budget.status());
    if (budget->reserved_usd_micros != mine.reserved ||
        budget->incurred_usd_micros != mine.incurred ||
        budget->uncertain_usd_micros != mine.uncertain) {
      problems_.push_back(
          absl::StrCat("the budget of ", caller, " is ", budget->reserved_usd_micros, "/",
                       budget->incurred_usd_micros, "/", budget->uncertain_usd_micros, ", not ",
                       mine.reserved, "/", mine.incurred, "/", mine.uncertain));
    }
  }
}

void ReferenceModel::CheckLedger() {
  std::map<std::string, int> accepted;
  for (const LedgerEntry& entry : world_.upstream.accepted()) ++accepted[entry.payload.prompt];
  std::set<std::string> charged;
  for (const LedgerEntry& entry : world_.upstream.accepted()) charged.insert(entry.id);
  // A refusal in words may leave a record that lives all the same.
  for (const FakeRecord& record : world_.upstream.records()) {
    if (!charged.contains(record.id) && IsLive(record)) ++accepted[record.payload.prompt];
  }
  for (const auto& [prompt, count] : accepted) {
    const std::vector<std::string>& ids = by_prompt_[prompt];
    const auto may_be_paid = std::count_if(
        ids.begin(), ids.end(), [&](const std::string& id) { return !SaysUnpaid(jobs_.at(id)); });
    if (count > may_be_paid) {
      problems_.push_back(absl::StrCat("'", prompt, "': ", count, " accepted POSTs, ", ids.size(),
                                       " jobs, of which ", may_be_paid, " may be paid"));
    }
  }
}

void ReferenceModel::CheckNothingLost() {
  for (const auto& [id, job] : jobs_) {
    const auto stored = world_.store().Get(job.request.caller, id);
    if (!stored.ok()) Problem(id, absl::StrCat("it is lost: ", stored.status().ToString()));
  }
}

bool ReferenceModel::IsFinal(const KnownJob& job) { return kFinal.contains(job.state); }

bool ReferenceModel::AllSettled() const {
  return std::all_of(jobs_.begin(), jobs_.end(), [](const auto& entry) {
    return kFinal.contains(entry.second.state) || entry.second.state == kHeld;
  });
}

bool ReferenceModel::IsAdoptable(const std::string& job_id) const {
  const std::string& prompt = jobs_.at(job_id).request.edit.prompt;
  if (chosen_blindly_ || chosen_prompts_.contains(prompt)) return false;
  const Attempt attempt = world_.View(job_id).attempts.back();
  const ReconcileSettings& times = world_.settings.reconcile;
  const absl::Time latest =
      (IsSet(attempt.end_time) ? attempt.end_time : attempt.seal_time + times.longest_attempt) +
      times.visibility + times.clock_doubt;
  int fitting = 0;
  for (const FakeRecord& record : world_.upstream.records()) {
    if (!record.listed || owner_of_record_.contains(record.id)) continue;
    if (record.empty_echo) return false;  // it may fit anybody's attempt
    if (record.payload.prompt != prompt) continue;
    // An earlier attempt's, which is known not to have been accepted and left a failed record.
    if (!record.without_time && record.created_at < jobs_.at(job_id).sealed - absl::Seconds(15)) {
      continue;
    }
    // A rival's, made when this attempt was over for certain.
    if (!record.without_time && record.created_at > latest) continue;
    // --on-capacity-refusal=hold: a refusal in words that left a failed record is for a person.
    if (!IsLive(record) && !world_.settings.reconcile.retry_capacity_refusal) return false;
    ++fitting;
  }
  const std::vector<std::string>& ids = by_prompt_.at(prompt);
  const auto rivals = std::count_if(ids.begin(), ids.end(), [&](const std::string& id) {
    return jobs_.at(id).upstream_id.empty() && !SaysUnpaid(jobs_.at(id));
  });
  return fitting == 1 && rivals == 1;
}

void ReferenceModel::CheckAtRest() {
  CheckNothingLost();
  for (const auto& [id, job] : jobs_) {
    if (!kFinal.contains(job.state) && job.state != kHeld) Problem(id, "it does not come to rest");
    if (job.state == kHeld && IsAdoptable(id)) Problem(id, "HELD without a reason");
    if (job.state == kCancelled && job.cancel == CancelResult::kNone && job.upstream_id.empty()) {
      Problem(id, "nobody cancelled it");
    }
    const std::vector<Transition> stored = world_.Transitions(id);
    if (static_cast<int>(stored.size()) != job.sequence) Problem(id, "transitions are missing");
    const std::size_t both = std::min(stored.size(), job.seen.size());
    if (!std::equal(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(both),
                    job.seen.begin()) ||
        job.seen.size() > stored.size()) {
      Problem(id, "its watcher saw something else than the store has");
    }
  }
}

}  // namespace lumaedit
