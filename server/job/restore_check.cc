#include "server/job/restore_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/job/attempt_rules.h"
#include "server/job/payload.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kInterval = absl::Minutes(1);

// In the store's settings: microseconds of the backup's time, or one of these words.
constexpr char kRestoredSetting[] = "restored";
constexpr char kEmptyBackup[] = "empty";
constexpr char kCompared[] = "compared";

constexpr int kPage = 500;

}  // namespace

absl::Status MarkRestored(JobStore& store) {
  const auto newest = store.NewestStateTime();
  if (!newest.ok()) return newest.status();
  return store.PutSetting(kRestoredSetting, IsSet(*newest)
                                                ? absl::StrCat(absl::ToUnixMicros(*newest))
                                                : std::string(kEmptyBackup));
}

RestoreCheck::RestoreCheck(EngineContext& context, Reconciler& reconciler,
                           std::function<void()> on_finished)
    : context_(context),
      reconciler_(reconciler),
      on_finished_(std::move(on_finished)),
      wake_(context.deps().executor, context.clock()) {}

asio::awaitable<absl::Status> RestoreCheck::Load() {
  const auto restored = co_await Offload(context_.deps().store_worker, [this] {
    return context_.deps().store.GetSetting(kRestoredSetting);
  });
  if (!restored.ok() && !absl::IsNotFound(restored.status())) co_return restored.status();
  context_.SetRestored(restored.ok() && *restored != kCompared);
  std::int64_t micros = 0;
  if (restored.ok() && absl::SimpleAtoi(*restored, &micros)) {
    backup_time_ = absl::FromUnixMicros(micros);
  }
  if (context_.restored()) {
    status_.waits_for = RestoreWait::kList;
    context_.log().Warning("restored_store");
  }
  co_return absl::OkStatus();
}

asio::awaitable<void> RestoreCheck::Run() {
  while (!context_.draining() && context_.restored()) {
    const Found found = co_await Compare();
    status_ = Judge(found);
    Tell(found);
    if (status_.waits_for == RestoreWait::kNothing) {
      const absl::Status finished = co_await Finish();
      if (finished.ok()) co_return;
      // What the store does not know, the next start would not know.
      status_.waits_for = RestoreWait::kList;
    }
    co_await wake_.WaitFor(kInterval);
  }
}

RestoreStatus RestoreCheck::Judge(const Found& found) const {
  if (!found.read) return {RestoreWait::kList};
  if (found.in_doubt > 0) return {RestoreWait::kInDoubt, found.in_doubt};
  if (found.strangers > 0 && !acknowledged_) return {RestoreWait::kPerson, found.strangers};
  return {};
}

void RestoreCheck::Tell(const Found& found) {
  if (!found.read || found.strangers == 0 || found.strangers == strangers_told_) return;
  strangers_told_ = found.strangers;
  context_.log().Error("restored_store_misses_records", {{"count", found.strangers}});
}

void RestoreCheck::Acknowledge() {
  if (!context_.restored()) return;
  if (status_.waits_for == RestoreWait::kPerson) {
    acknowledged_ = true;
    status_ = {RestoreWait::kList};
  }
  context_.log().Warning(
      "restored_store_not_compared",
      {{"waits_for", RestoreWaitName(status_.waits_for)}, {"count", status_.count}});
  wake_.Notify();
}

asio::awaitable<absl::Status> RestoreCheck::Finish() {
  const absl::Status written = co_await Offload(context_.deps().store_worker, [this] {
    return context_.deps().store.PutSetting(kRestoredSetting, kCompared);
  });
  if (!written.ok()) co_return written;
  context_.SetRestored(false);
  context_.log().Warning("restored_store_compared");
  on_finished_();
  co_return absl::OkStatus();
}

asio::awaitable<RestoreCheck::Found> RestoreCheck::Compare() {
  const ReconcileSettings& settings = context_.settings().reconcile;
  const std::string account = context_.accounts().Current();
  Found found;
  const auto pending = co_await PendingJobs();
  if (!pending.ok()) co_return found;
  absl::Time from = absl::InfiniteFuture();
  std::vector<Attempt> attempts;
  for (const JobView& view : *pending) {
    attempts.push_back(AttemptSince(view.job));
    from = std::min(from, WidestWindowOf(attempts.back(), context_.upstream_time(), settings).from);
  }
  // Of a backup without a job no time is known: any record may be older.
  const absl::Duration offset = context_.upstream_time().offset.value_or(absl::ZeroDuration());
  const absl::Time backup = backup_time_ ? *backup_time_ + std::min(offset, absl::ZeroDuration())
                                         : absl::InfiniteFuture();
  from = std::min(from, backup);
  if (from == absl::InfiniteFuture()) {
    found.read = true;
    co_return found;
  }

  const Pass pass = co_await reconciler_.ReadList(account, from);
  found.read = pass.Covers(from);
  if (!found.read) {
    context_.log().Warning("restored_store_list_unread", {{"failed", pass.failed}});
    co_return found;
  }
  const auto rivals = co_await Offload(context_.deps().store_worker, [this, &account] {
    return context_.deps().store.UnboundAttempts(account);
  });
  if (!rivals.ok()) {
    found.read = false;
    co_return found;
  }
  const auto fits = [&](const UpstreamRecord& record, const Attempt& attempt) {
    return Fits(record, attempt, context_.upstream_time(), settings);
  };
  for (const UpstreamRecord& record : pass.unowned) {
    const bool is_known =
        std::any_of(attempts.begin(), attempts.end(),
                    [&](const Attempt& attempt) { return fits(record, attempt); }) ||
        std::any_of(rivals->begin(), rivals->end(),
                    [&](const UnboundAttempt& rival) { return fits(record, rival.attempt); });
    const bool is_newer = !IsSet(record.created_at) || record.created_at > backup;
    if (!is_known && backup_time_ && is_newer) ++found.strangers;
  }
  for (Attempt& attempt : attempts) {
    const bool may_be_sent =
        std::any_of(pass.unowned.begin(), pass.unowned.end(),
                    [&](const UpstreamRecord& record) { return fits(record, attempt); });
    if (!may_be_sent) continue;
    ++found.in_doubt;
    co_await PutInDoubt(std::move(attempt));
  }
  co_return found;
}

asio::awaitable<absl::StatusOr<std::vector<JobView>>> RestoreCheck::PendingJobs() {
  std::vector<JobView> pending;
  const Lease lease = context_.lease();
  for (std::string after;;) {
    const auto page = co_await Offload(context_.deps().store_worker, [this, &lease, &after] {
      return context_.deps().store.LiveJobs(lease, after, kPage);
    });
    if (!page.ok()) co_return page.status();
    for (const LiveJob& live : *page) {
      if (live.state != JobState::kPending) continue;
      auto view = co_await context_.View(live.id);
      if (!view.ok()) co_return view.status();
      if (view->job.state == JobState::kPending) pending.push_back(*std::move(view));
    }
    if (page->size() < static_cast<std::size_t>(kPage)) break;
    after = page->back().id;
  }
  co_return pending;
}

Attempt RestoreCheck::AttemptSince(const Job& job) const {
  Attempt attempt;
  attempt.job_id = job.id;
  attempt.account = context_.accounts().Current();
  attempt.model = kEditModel;
  attempt.fingerprint = PayloadFingerprint(PayloadFor(job.edit));
  attempt.seal_time = job.create_time;
  attempt.end_time = context_.clock().Now();
  return attempt;
}

asio::awaitable<void> RestoreCheck::PutInDoubt(Attempt attempt) {
  const Lease lease = context_.lease();
  const std::string job_id = attempt.job_id;
  const auto sealed = co_await Offload(context_.deps().store_worker, [this, &lease, &attempt] {
    return context_.deps().store.Seal(lease, attempt);
  });
  // An equal payload that is in doubt goes first; this one is looked at again.
  if (!sealed.ok()) co_return;
  context_.Committed(*sealed);
  const auto change =
      co_await context_.Update(job_id, [](const JobView& view) { return DecideUnconfirmed(view); });
  if (change.ok()) context_.log().Warning("restored_job_in_doubt", {{"job", job_id}});
}

}  // namespace lumaedit
