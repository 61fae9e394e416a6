// The hub's side of watching all jobs of a caller.
#include <utility>

#include "server/job/store_call.h"
#include "server/job/watch_hub.h"
#include "server/job/watch_hub_slots.h"

namespace lumaedit {
namespace {

// A page of a replay ends with the transition that reaches this: usually it holds dozens.
constexpr std::size_t kReplayBytes = 16 << 10;

absl::Status FromOtherStore(const char* why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, ErrorReason::kTokenFromOtherStore, why);
}

}  // namespace

void WatchHub::WatchCaller(std::string caller, std::optional<StorePosition> from,
                           std::weak_ptr<Watcher> watcher, Reply<CallerWatchStart> reply) {
  RunOnStore(deps_.store_worker, std::move(reply),
             [this, caller = std::move(caller), from = std::move(from),
              watcher = std::move(watcher)] { return WatchCallerNow(caller, from, watcher); });
}

absl::StatusOr<CallerWatchStart> WatchHub::WatchCallerNow(const std::string& caller,
                                                          const std::optional<StorePosition>& from,
                                                          const std::weak_ptr<Watcher>& watcher) {
  auto store_id = deps_.store.GetSetting("store_id");
  if (!store_id.ok()) return store_id.status();
  if (from && from->store_id != *store_id) {
    return FromOtherStore("the token is of another store; list the jobs again");
  }

  std::shared_ptr<CallerSlot> slot;
  {
    MutexLock lock(mutex_);
    slot = SlotOf(caller);
    slot->watchers.Add(watcher);
    slot->idle_since = absl::InfiniteDuration();
  }
  // Read after registering: every later change reaches the feed by publication.
  auto start = [&]() -> absl::StatusOr<CallerWatchStart> {
    if (absl::Status loaded = LoadCaller(slot); !loaded.ok()) return loaded;
    auto newest = deps_.store.NewestChange(caller);
    if (!newest.ok()) return newest.status();
    const std::int64_t begin = from ? from->change : *newest;
    if (begin > *newest) {
      return FromOtherStore("the token lies beyond what this store has; list the jobs again");
    }
    // Judged now, so that a token that is too old is refused before anything is sent.
    if (auto kept = deps_.store.Changes(caller, begin, 1); !kept.ok()) return kept.status();
    return CallerWatchStart{{*store_id, begin}, *newest, slot->feed};
  }();
  if (!start.ok()) {
    if (const auto strong = watcher.lock()) Close(*slot->feed, strong.get());
  }
  return start;
}

void WatchHub::Close(const CallerFeed& feed, const Watcher* watcher) {
  MutexLock lock(mutex_);
  const auto it = callers_.find(feed.caller());
  if (it == callers_.end() || it->second->feed.get() != &feed) return;
  Leave(*it->second, watcher);
}

void WatchHub::ReadChanges(std::string caller, std::int64_t after,
                           std::shared_ptr<const JobsFilter> filter, Reply<ReplayPage> reply) {
  RunOnStore(replays_, std::move(reply),
             [this, caller = std::move(caller), after, filter = std::move(filter)] {
               return ReadChangesNow(caller, after, *filter);
             });
}

absl::StatusOr<ReplayPage> WatchHub::ReadChangesNow(const std::string& caller, std::int64_t after,
                                                    const JobsFilter& filter) {
  auto changes = deps_.store.Changes(caller, after, kReplayPage);
  if (!changes.ok()) return changes.status();
  ReplayPage page;
  page.end = after;
  std::size_t bytes = 0;
  for (JobTransition& change : *changes) {
    if (bytes >= kReplayBytes) break;
    page.end = change.transition.change;
    if (!filter.Matches(change.job_id, change.labels)) continue;
    std::shared_ptr<const void> encoded;
    if (deps_.encoder != nullptr) {
      encoded = deps_.encoder->Encode(change.job_id, change.transition);
      bytes += deps_.encoder->ByteSize(encoded);
    }
    page.entries.push_back({page.end, std::move(change.job_id), std::move(encoded)});
  }
  return page;
}

absl::Status WatchHub::LoadCaller(const std::shared_ptr<CallerSlot>& slot) {
  CallerFeed& feed = *slot->feed;
  auto newest = deps_.store.NewestChange(feed.caller());
  if (!newest.ok()) return newest.status();
  feed.Begin(*newest);
  if (*newest > feed.newest() + static_cast<std::int64_t>(CallerFeed::kWindow)) {
    // The window would not hold them all: who reads from before it reads the store.
    feed.JumpTo(*newest);
    LoadJobsOf(slot);
  }
  do {
    for (;;) {
      auto page = deps_.store.Changes(feed.caller(), feed.newest(), kReplayPage);
      if (!page.ok()) return page.status();
      for (JobTransition& change : *page) {
        if (change.transition.change <= feed.newest()) continue;
        const auto entry = MakeFeedEntry(change.job_id, change.transition, deps_.encoder);
        auto all = std::make_shared<CallerEntry>(
            CallerEntry{change.job_id, std::move(change.labels), entry});
        if (!feed.Append(std::move(all))) continue;
        if (const auto job = FindJob(change.job_id)) Offer(job, entry);
      }
      if (page->size() < static_cast<std::size_t>(kReplayPage)) break;
    }
  } while (feed.TakeBehind());
  return absl::OkStatus();
}

void WatchHub::LoadJobsOf(const std::shared_ptr<CallerSlot>& slot) {
  std::vector<std::shared_ptr<JobSlot>> jobs;
  {
    MutexLock lock(mutex_);
    for (const auto& [job_id, job] : jobs_) {
      if (job->caller == slot) jobs.push_back(job);
    }
  }
  for (const auto& job : jobs) PostLoad(job);
}

void WatchHub::PostLoad(const std::shared_ptr<CallerSlot>& slot) {
  {
    MutexLock lock(mutex_);
    if (std::exchange(slot->load_queued, true)) return;
  }
  deps_.store_worker.Post([this, slot] {
    {
      MutexLock lock(mutex_);
      slot->load_queued = false;
    }
    if (absl::Status loaded = LoadCaller(slot); !loaded.ok()) {
      slot->feed->MarkBehind();
      LoadFailed(loaded, "");
    }
    Wake(slot);
  });
}

void WatchHub::Refresh(const std::string& caller) {
  const std::shared_ptr<CallerSlot> slot = FindCaller(caller);
  if (slot) PostLoad(slot);
}

std::vector<std::pair<std::string, std::int64_t>> WatchHub::WatchedCallers() const {
  std::vector<std::pair<std::string, std::int64_t>> callers;
  MutexLock lock(mutex_);
  for (const auto& [caller, slot] : callers_) callers.emplace_back(caller, slot->feed->newest());
  return callers;
}

}  // namespace lumaedit
