// Who reads one feed, and the waking of many.
//
// Watcher is implemented by the streams, which own themselves; the hub knows them weakly. A
// WatcherTable lies under its owner's mutex. Adding and leaving cost the same with ten thousand
// watchers as with one, and a wake goes over them in batches, between which the mutex is free.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

namespace lumaedit {

// A reader of a feed. Wake is called on the fan-out worker with no lock held; it must not block.
// One watcher reads one feed at a time.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void Wake() = 0;

 private:
  friend class WatcherTable;
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  std::size_t place_ = kNowhere;  // under the mutex of the table's owner
};

class WatcherTable {
 public:
  // Adding one that is there has no effect.
  void Add(const std::weak_ptr<Watcher>& watcher);
  void Remove(const Watcher* watcher);

  // Adds those at places from `first` on to `out`, until `most` places were looked at. Answers
  // the place to go on with; 0: that was all. A place never moves, so nobody who was there when a
  // wake began is left out, whoever comes and goes between two batches.
  std::size_t Collect(std::size_t first, std::size_t most,
                      std::vector<std::shared_ptr<Watcher>>& out) const;

  // Forgets those that vanished without a word.
  void DropExpired();

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }

 private:
  void Free(std::size_t place);

  std::vector<std::weak_ptr<Watcher>> places_;
  std::vector<std::size_t> free_;
  std::size_t count_ = 0;
};

}  // namespace lumaedit
