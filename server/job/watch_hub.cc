#include "server/job/watch_hub.h"

#include <utility>

#include "server/base/crash_point.h"
#include "server/job/watch_hub_slots.h"

namespace lumaedit {
namespace {

// Watchers that are woken before the fan-out worker turns to what else is queued.
constexpr std::size_t kWakeBatch = 256;

// Store threads that replays may hold: half of what the store reads with.
constexpr int kReplayThreads = 2;
// As many as there can be streams, each of which asks for one page at a time.
constexpr std::size_t kMostReplays = 1'000'000;

}  // namespace

WatchHub::WatchHub(Deps deps)
    : deps_(deps), replays_(deps.store_worker, kReplayThreads, kMostReplays) {}
WatchHub::~WatchHub() = default;

std::shared_ptr<WatchHub::CallerSlot> WatchHub::SlotOf(const std::string& caller) {
  std::shared_ptr<CallerSlot>& slot = callers_[caller];
  if (!slot) slot = std::make_shared<CallerSlot>(caller);
  return slot;
}

std::shared_ptr<WatchHub::JobSlot> WatchHub::FindJob(const std::string& job_id) const {
  MutexLock lock(mutex_);
  const auto it = jobs_.find(job_id);
  return it == jobs_.end() ? nullptr : it->second;
}

std::shared_ptr<WatchHub::CallerSlot> WatchHub::FindCaller(const std::string& caller) const {
  MutexLock lock(mutex_);
  const auto it = callers_.find(caller);
  return it == callers_.end() ? nullptr : it->second;
}

absl::StatusOr<std::shared_ptr<JobFeed>> WatchHub::Open(const std::string& caller,
                                                        const std::string& job_id,
                                                        std::weak_ptr<Watcher> watcher) {
  std::shared_ptr<JobSlot> slot;
  {
    MutexLock lock(mutex_);
    std::shared_ptr<JobSlot>& place = jobs_[job_id];
    if (!place) {
      place = std::make_shared<JobSlot>();
      place->feed = std::make_shared<JobFeed>(caller, job_id, deps_.encoder);
      place->caller = SlotOf(caller);
      ++place->caller->jobs;
    }
    place->watchers.Add(watcher);
    place->idle_since = absl::InfiniteDuration();
    slot = place;
  }
  // Before the job's feed, so that Refresh sees whatever that feed does not hold.
  if (!slot->caller->feed->begun()) {
    if (absl::Status begun = LoadCaller(slot->caller); !begun.ok()) return begun;
  }
  if (absl::Status loaded = Load(*slot->feed); !loaded.ok()) return loaded;
  return slot->feed;
}

absl::Status WatchHub::Load(JobFeed& feed) {
  // A publication that ran ahead of this read leaves `behind` set: the store is then read again.
  do {
    for (;;) {
      auto page = deps_.store.Transitions(feed.caller(), feed.job_id(), feed.newest(), kReplayPage);
      if (!page.ok()) return page.status();
      for (const Transition& transition : *page) feed.Append(transition);
      if (page->size() < static_cast<std::size_t>(kReplayPage)) break;
    }
  } while (feed.TakeBehind());
  return absl::OkStatus();
}

void WatchHub::Leave(Audience& audience, const Watcher* watcher) {
  audience.watchers.Remove(watcher);
  if (audience.watchers.empty()) audience.idle_since = deps_.clock.Uptime();
}

void WatchHub::Close(const JobFeed& feed, const Watcher* watcher) {
  MutexLock lock(mutex_);
  const auto it = jobs_.find(feed.job_id());
  if (it == jobs_.end() || it->second->feed.get() != &feed) return;
  Leave(*it->second, watcher);
}

void WatchHub::Publish(const Job& job, const Transition& transition) {
  deps_.metrics.Transitioned(transition.state);
  const std::shared_ptr<JobSlot> of_job = FindJob(job.id);
  const std::shared_ptr<CallerSlot> of_caller = FindCaller(job.caller);
  if (!of_job && !of_caller) return;

  const auto entry = MakeFeedEntry(job.id, transition, deps_.encoder);
  if (of_job) Offer(of_job, entry);
  if (of_caller) {
    auto all = std::make_shared<CallerEntry>(CallerEntry{job.id, job.options.labels, entry});
    if (of_caller->feed->Append(std::move(all))) {
      Wake(of_caller);
    } else if (of_caller->feed->newest() < transition.change && IsWatched(*of_caller)) {
      // Two commits were published out of order, or a load is under way: the store has them all.
      // Without a reader there is time until the next Sweep.
      PostLoad(of_caller);
    }
  }
  CrashPoint("publish.committed");
}

bool WatchHub::IsWatched(const Audience& audience) const {
  MutexLock lock(mutex_);
  return !audience.watchers.empty();
}

void WatchHub::Offer(const std::shared_ptr<JobSlot>& slot,
                     const std::shared_ptr<const FeedEntry>& entry) {
  if (slot->feed->Append(entry)) {
    Wake(slot);
  } else if (slot->feed->newest() < entry->transition.sequence) {
    PostLoad(slot);
  }
}

void WatchHub::PostLoad(const std::shared_ptr<JobSlot>& slot) {
  {
    MutexLock lock(mutex_);
    if (std::exchange(slot->load_queued, true)) return;
  }
  deps_.store_worker.Post([this, slot] {
    {
      MutexLock lock(mutex_);
      slot->load_queued = false;
    }
    if (absl::Status loaded = Load(*slot->feed); !loaded.ok()) {
      slot->feed->MarkBehind();
      LoadFailed(loaded, slot->feed->job_id());
    }
    Wake(slot);
  });
}

void WatchHub::LoadFailed(const absl::Status& status, const std::string& job_id) {
  deps_.log.Warning("feed_load_failed",
                    {{"job", job_id}, {"error", std::string(status.message())}});
}

void WatchHub::Wake(const std::shared_ptr<Audience>& audience) {
  {
    MutexLock lock(mutex_);
    if (audience->watchers.empty() || std::exchange(audience->wake_queued, true)) return;
  }
  deps_.fan_out_worker.Post([this, audience] { WakeBatch(audience, 0); });
}

void WatchHub::WakeBatch(const std::shared_ptr<Audience>& audience, std::size_t first) {
  std::vector<std::shared_ptr<Watcher>> awake;
  awake.reserve(kWakeBatch);
  std::size_t next = 0;
  {
    MutexLock lock(mutex_);
    // Whatever is published from here on needs a wake of its own.
    if (first == 0) audience->wake_queued = false;
    next = audience->watchers.Collect(first, kWakeBatch, awake);
  }
  for (const std::shared_ptr<Watcher>& watcher : awake) watcher->Wake();
  // Behind what was queued meanwhile: one job's crowd does not keep another's watcher waiting.
  if (next != 0) deps_.fan_out_worker.Post([this, audience, next] { WakeBatch(audience, next); });
}

bool WatchHub::SweepAudience(Audience& audience, bool held, absl::Duration now) {
  audience.watchers.DropExpired();
  if (!audience.watchers.empty() || held) {
    audience.idle_since = absl::InfiniteDuration();
  } else if (audience.idle_since == absl::InfiniteDuration()) {
    audience.idle_since = now;
  }
  return now - audience.idle_since >= kIdleFeed;
}

void WatchHub::Sweep() {
  const absl::Duration now = deps_.clock.Uptime();
  std::vector<std::shared_ptr<JobSlot>> jobs_behind;
  std::vector<std::shared_ptr<CallerSlot>> callers_behind;
  {
    MutexLock lock(mutex_);
    for (auto it = jobs_.begin(); it != jobs_.end();) {
      JobSlot& slot = *it->second;
      if (SweepAudience(slot, false, now)) {
        --slot.caller->jobs;
        it = jobs_.erase(it);
        continue;
      }
      if (slot.feed->TakeBehind()) jobs_behind.push_back(it->second);
      ++it;
    }
    for (auto it = callers_.begin(); it != callers_.end();) {
      CallerSlot& slot = *it->second;
      if (SweepAudience(slot, slot.jobs > 0, now)) {
        it = callers_.erase(it);
        continue;
      }
      if (slot.feed->TakeBehind()) callers_behind.push_back(it->second);
      ++it;
    }
  }
  // A load that failed is tried again; one that is under way loses nothing by a second.
  for (const auto& slot : jobs_behind) PostLoad(slot);
  for (const auto& slot : callers_behind) PostLoad(slot);
}

std::size_t WatchHub::watcher_count() const {
  MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [job_id, slot] : jobs_) count += slot->watchers.size();
  for (const auto& [caller, slot] : callers_) count += slot->watchers.size();
  return count;
}

std::size_t WatchHub::feed_count() const {
  MutexLock lock(mutex_);
  return jobs_.size();
}

}  // namespace lumaedit
