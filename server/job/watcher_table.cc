#include "server/job/watcher_table.h"

#include <algorithm>
#include <utility>

namespace lumaedit {

void WatcherTable::Add(const std::weak_ptr<Watcher>& watcher) {
  const std::shared_ptr<Watcher> strong = watcher.lock();
  if (!strong) return;
  if (strong->place_ < places_.size() && places_[strong->place_].lock() == strong) return;
  if (free_.empty()) {
    strong->place_ = places_.size();
    places_.push_back(watcher);
  } else {
    strong->place_ = free_.back();
    free_.pop_back();
    places_[strong->place_] = watcher;
  }
  ++count_;
}

void WatcherTable::Remove(const Watcher* watcher) {
  const std::size_t place = watcher->place_;
  if (place < places_.size() && places_[place].lock().get() == watcher) Free(place);
}

void WatcherTable::Free(std::size_t place) {
  places_[place].reset();
  free_.push_back(place);
  if (--count_ == 0) {
    places_ = {};
    free_ = {};
  }
}

std::size_t WatcherTable::Collect(std::size_t first, std::size_t most,
                                  std::vector<std::shared_ptr<Watcher>>& out) const {
  const std::size_t end = std::min(places_.size(), first + most);
  for (std::size_t i = first; i < end; ++i) {
    if (std::shared_ptr<Watcher> strong = places_[i].lock()) out.push_back(std::move(strong));
  }
  return end < places_.size() ? end : 0;
}

void WatcherTable::DropExpired() {
  // An empty place and one whose watcher vanished look alike but for the free list.
  std::vector<bool> is_free(places_.size(), false);
  for (std::size_t place : free_) is_free[place] = true;
  for (std::size_t i = 0; i < is_free.size() && count_ > 0; ++i) {
    if (!is_free[i] && places_[i].expired()) Free(i);
  }
}

}  // namespace lumaedit
