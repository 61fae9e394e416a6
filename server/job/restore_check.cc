#include "server/job/restore_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
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

// A line for each account that was sent to in the last day of the backup: the seal time of its
// newest accepted attempt in microseconds (0: none), a space, the account.
constexpr char kAccountsSetting[] = "restored_accounts";
constexpr absl::Duration kRecent = absl::Hours(24);

constexpr int kPage = 500;

std::vector<AccountUse> ReadAccounts(const std::string& setting) {
  std::vector<AccountUse> used;
  const std::vector<std::string> lines = absl::StrSplit(setting, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    AccountUse use{.account = parts.second};
    std::int64_t micros = 0;
    if (absl::SimpleAtoi(parts.first, &micros) && micros > 0) {
      use.newest_accepted = absl::FromUnixMicros(micros);
    }
    used.push_back(std::move(use));
  }
  return used;
}

}  // namespace

absl::Status MarkRestored(JobStore& store) {
  const auto used = store.RecentAccounts(kRecent);
  if (!used.ok()) return used.status();
  const absl::Status put = store.PutSetting(
      kAccountsSetting, absl::StrJoin(*used, "\n", [](std::string* out, const AccountUse& use) {
        const bool accepted = IsSet(use.newest_accepted);
        absl::StrAppend(out, accepted ? absl::ToUnixMicros(use.newest_accepted) : 0, " ",
                        use.account);
      }));
  if (!put.ok()) return put;
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
  if (!context_.restored()) co_return absl::OkStatus();
  const auto accounts = co_await Offload(context_.deps().store_worker, [this] {
    return context_.deps().store.GetSetting(kAccountsSetting);
  });
  if (!accounts.ok() && !absl::IsNotFound(accounts.status())) co_return accounts.status();
  if (accounts.ok()) used_ = ReadAccounts(*accounts);
  started_ = context_.clock().Uptime();
  status_.waits_for = RestoreWait::kList;
  context_.log().Warning("restored_store");
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
    const absl::Duration unshown = AllShownFrom() - context_.clock().Uptime();
    co_await wake_.WaitFor(unshown > absl::ZeroDuration() ? std::min(kInterval, unshown)
                                                          : kInterval);
  }
}

absl::Duration RestoreCheck::AllShownFrom() const {
  const ReconcileSettings& settings = context_.settings().reconcile;
  // Of a backup without a job nothing can have been sent.
  if (!backup_time_) return started_;
  return started_ + settings.visibility + context_.upstream_time().Doubt(settings);
}

RestoreStatus RestoreCheck::Judge(const Found& found) const {
  if (!found.read || found.began < AllShownFrom()) return {RestoreWait::kList};
  if (!found.unread.empty() && found.of_backup > 0) return {RestoreWait::kKey, found.of_backup};
  if (found.in_doubt > 0) return {RestoreWait::kInDoubt, found.in_doubt};
  if (acknowledged_) return {};
  const bool is_old = backup_time_ && context_.clock().Now() - *backup_time_ > kRecent;
  if (is_old && found.is_short && found.of_backup > 0 && !short_list_known_) {
    return {RestoreWait::kShortList, found.of_backup};
  }
  if (found.strangers > 0) return {RestoreWait::kPerson, found.strangers};
  if (!found.unread.empty()) return {RestoreWait::kAccount, static_cast<int>(found.unread.size())};
  return {};
}

void RestoreCheck::Tell(const Found& found) {
  if (status_.waits_for == RestoreWait::kList) return;
  for (const std::string& account : found.unread) {
    if (!accounts_told_.insert(account).second) continue;
    context_.log().Error("restored_store_account_unread",
                         {{"account", account}, {"jobs", found.of_backup}});
  }
  if (status_.waits_for == RestoreWait::kShortList && !std::exchange(short_list_told_, true)) {
    context_.log().Error("restored_store_list_too_short", {{"jobs", found.of_backup}});
  }
  if (found.strangers == 0 || found.strangers == strangers_told_) return;
  strangers_told_ = found.strangers;
  context_.log().Error("restored_store_misses_records", {{"count", found.strangers}});
}

void RestoreCheck::Acknowledge() {
  if (!context_.restored()) return;
  if (status_.waits_for == RestoreWait::kShortList) {
    // Records that nobody knows are another matter, and are asked about next.
    short_list_known_ = true;
    status_ = {RestoreWait::kList};
  } else if (status_.waits_for == RestoreWait::kPerson ||
             status_.waits_for == RestoreWait::kAccount) {
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
  Found found;
  found.began = context_.clock().Uptime();
  const auto pending = co_await PendingJobs();
  if (!pending.ok()) co_return found;
  absl::Time from = absl::InfiniteFuture();
  std::vector<Attempt> open;
  for (const JobView& view : *pending) {
    open.push_back(AttemptSince(view.job));
    from = std::min(
        from,
        WidestWindowOf(open.back(), context_.upstream_time(), context_.settings().reconcile).from);
  }
  from = std::min(from, BackupTime());
  // Of a backup without a job no time is known: any record may be older.
  if (from == absl::InfiniteFuture()) {
    found.read = true;
    co_return found;
  }
  const std::string present = context_.deps().upstream.Account();
  found.read = co_await CompareWith(context_.accounts().Current(), from, open, found);
  if (!found.read) co_return found;
  // After the present key was read: it may have turned out to be of one of them.
  for (const std::string& account : OtherAccounts()) {
    bool read = false;
    if (&context_.accounts().ReaderFor(account).upstream != &context_.deps().upstream) {
      read = co_await CompareWith(account, from, open, found);
    }
    if (read) continue;
    if (context_.accounts().ReaderFor(account).same_account) {
      found.read = false;
    } else {
      found.unread.push_back(account);
    }
  }
  // The list of the key that dispatch would use now was not read.
  if (context_.deps().upstream.Account() != present) found.read = false;
  found.of_backup =
      static_cast<int>(std::count_if(open.begin(), open.end(), [this](const Attempt& attempt) {
        return backup_time_ && attempt.seal_time <= *backup_time_;
      }));
  co_return found;
}

asio::awaitable<bool> RestoreCheck::CompareWith(std::string account, absl::Time from,
                                                std::vector<Attempt>& open, Found& found) {
  const ReconcileSettings& settings = context_.settings().reconcile;
  const Pass pass = co_await reconciler_.ReadList(account, ReadFrom(account, from));
  if (!pass.Covers(from)) {
    context_.log().Warning("restored_store_list_unread", {{"failed", pass.failed}});
    co_return false;
  }
  const auto rivals = co_await Offload(context_.deps().store_worker, [this, &account] {
    return context_.deps().store.UnboundAttempts(account);
  });
  if (!rivals.ok()) co_return false;
  found.is_short = found.is_short || !pass.ReachesBack(from);
  const UpstreamTime& time = context_.upstream_time();
  const auto may_fit = [&](const UpstreamRecord& record, const Attempt& attempt) {
    return MayFit(record, attempt, time, settings);
  };
  for (const UpstreamRecord& record : pass.unowned) {
    const bool is_known =
        std::any_of(open.begin(), open.end(),
                    [&](const Attempt& attempt) { return may_fit(record, attempt); }) ||
        std::any_of(rivals->begin(), rivals->end(), [&](const UnboundAttempt& rival) {
          return Fits(record, rival.attempt, time, settings);
        });
    const bool is_newer = !IsSet(record.created_at) || record.created_at > BackupTime();
    if (!is_known && backup_time_ && is_newer) ++found.strangers;
  }
  std::vector<Attempt> left;
  for (Attempt& attempt : open) {
    const bool may_be_sent =
        std::any_of(pass.unowned.begin(), pass.unowned.end(),
                    [&](const UpstreamRecord& record) { return may_fit(record, attempt); });
    if (!may_be_sent) {
      left.push_back(std::move(attempt));
      continue;
    }
    ++found.in_doubt;
    attempt.account = account;
    co_await PutInDoubt(std::move(attempt));
  }
  open = std::move(left);
  co_return true;
}

std::vector<std::string> RestoreCheck::OtherAccounts() const {
  const Accounts& accounts = context_.accounts();
  std::vector<std::string> others;
  for (const AccountUse& use : used_) {
    std::string account = accounts.Canonical(use.account);
    const bool is_known = account == accounts.Current() ||
                          std::find(others.begin(), others.end(), account) != others.end();
    if (!is_known) others.push_back(std::move(account));
  }
  return others;
}

absl::Time RestoreCheck::ReadFrom(const std::string& account, absl::Time from) const {
  const Accounts& accounts = context_.accounts();
  const Upstream& reader = accounts.ReaderFor(account).upstream;
  if (Accounts::IsLearned(accounts.Canonical(reader.Account()))) return from;
  const absl::Duration offset = context_.upstream_time().offset.value_or(absl::ZeroDuration());
  for (const AccountUse& use : used_) {
    if (!IsSet(use.newest_accepted)) continue;
    from = std::min(from, use.newest_accepted + std::min(offset, absl::ZeroDuration()) -
                              context_.settings().reconcile.clock_doubt_unlearned);
  }
  return from;
}

absl::Time RestoreCheck::BackupTime() const {
  const absl::Duration offset = context_.upstream_time().offset.value_or(absl::ZeroDuration());
  return backup_time_ ? *backup_time_ + std::min(offset, absl::ZeroDuration()) -
                            context_.settings().reconcile.clock_doubt_unlearned
                      : absl::InfiniteFuture();
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
