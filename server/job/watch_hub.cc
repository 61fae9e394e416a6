#include "server/job/watch_hub.h"

#include <algorithm>
#include <utility>

#include "server/base/crash_point.h"

namespace lumaedit {
namespace {

// Transitions that one read of the store brings (protocol.md section 6).
constexpr int kReplayPage = 100;

}  // namespace

struct WatchHub::Slot {
  std::shared_ptr<JobFeed> feed;
  std::vector<std::weak_ptr<Watcher>> watchers;          // under the hub's mutex
  absl::Duration idle_since = absl::InfiniteDuration();  // uptime; infinite: somebody reads
};

WatchHub::WatchHub(Deps deps) : deps_(deps) {}
WatchHub::~WatchHub() = default;

absl::StatusOr<std::shared_ptr<JobFeed>> WatchHub::Open(const std::string& caller,
                                                        const std::string& job_id,
                                                        std::weak_ptr<Watcher> watcher) {
  std::shared_ptr<JobFeed> feed;
  {
    MutexLock lock(mutex_);
    std::shared_ptr<Slot>& slot = slots_[job_id];
    if (!slot) {
      slot = std::make_shared<Slot>();
      slot->feed = std::make_shared<JobFeed>(caller, job_id, deps_.encoder);
    }
    slot->watchers.push_back(std::move(watcher));
    slot->idle_since = absl::InfiniteDuration();
    feed = slot->feed;
  }
  if (absl::Status loaded = Load(*feed); !loaded.ok()) return loaded;
  return feed;
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

void WatchHub::Close(const JobFeed& feed, const Watcher* watcher) {
  MutexLock lock(mutex_);
  const auto it = slots_.find(feed.job_id());
  if (it == slots_.end() || it->second->feed.get() != &feed) return;
  std::erase_if(it->second->watchers, [watcher](const std::weak_ptr<Watcher>& weak) {
    const std::shared_ptr<Watcher> strong = weak.lock();
    return !strong || strong.get() == watcher;
  });
  if (it->second->watchers.empty()) it->second->idle_since = deps_.clock.Uptime();
}

void WatchHub::Publish(const std::string& job_id, const Transition& transition) {
  std::shared_ptr<JobFeed> feed;
  {
    MutexLock lock(mutex_);
    const auto it = slots_.find(job_id);
    if (it == slots_.end()) return;
    feed = it->second->feed;
  }
  if (!feed->Append(transition) && feed->newest() < transition.sequence) {
    // Two commits were published out of order, or a load is under way: the store has them all.
    deps_.store_worker.Post([this, feed] {
      if (absl::Status loaded = Load(*feed); !loaded.ok()) {
        deps_.log.Warning("feed_load_failed",
                          {{"job", feed->job_id()}, {"error", std::string(loaded.message())}});
      }
      deps_.fan_out_worker.Post([this, job_id = feed->job_id()] { WakeWatchersOf(job_id); });
    });
    return;
  }
  CrashPoint("publish.committed");
  deps_.fan_out_worker.Post([this, job_id] { WakeWatchersOf(job_id); });
}

void WatchHub::WakeWatchersOf(const std::string& job_id) {
  std::vector<std::shared_ptr<Watcher>> awake;
  {
    MutexLock lock(mutex_);
    const auto it = slots_.find(job_id);
    if (it == slots_.end()) return;
    awake.reserve(it->second->watchers.size());
    for (const std::weak_ptr<Watcher>& weak : it->second->watchers) {
      if (std::shared_ptr<Watcher> strong = weak.lock()) awake.push_back(std::move(strong));
    }
  }
  for (const std::shared_ptr<Watcher>& watcher : awake) watcher->Wake();
}

void WatchHub::Sweep() {
  const absl::Duration now = deps_.clock.Uptime();
  MutexLock lock(mutex_);
  for (auto it = slots_.begin(); it != slots_.end();) {
    Slot& slot = *it->second;
    std::erase_if(slot.watchers, [](const std::weak_ptr<Watcher>& weak) { return weak.expired(); });
    if (!slot.watchers.empty()) {
      slot.idle_since = absl::InfiniteDuration();
    } else if (slot.idle_since == absl::InfiniteDuration()) {
      slot.idle_since = now;
    }
    const bool gone = slot.watchers.empty() && now - slot.idle_since >= kIdleFeed;
    it = gone ? slots_.erase(it) : std::next(it);
  }
}

void WatchHub::WakeAll() {
  std::vector<std::string> job_ids;
  {
    MutexLock lock(mutex_);
    for (const auto& [job_id, slot] : slots_) job_ids.push_back(job_id);
  }
  for (std::string& job_id : job_ids) {
    deps_.fan_out_worker.Post([this, job_id = std::move(job_id)] { WakeWatchersOf(job_id); });
  }
}

std::size_t WatchHub::watcher_count() const {
  MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [job_id, slot] : slots_) count += slot->watchers.size();
  return count;
}

std::size_t WatchHub::feed_count() const {
  MutexLock lock(mutex_);
  return slots_.size();
}

}  // namespace lumaedit
