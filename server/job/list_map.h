// Where the records of running jobs stand in the upstream's list, as pages have shown it: newest
// first, so that an offset grows as others are made. Each is kept by its place, which does not
// grow: place = newest - offset.
//
// A place is a guess: records are made by others, deleted, shown in another order. Whoever does not
// find a record where it should be asks for it by id. Pure; one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/job/upstream.h"

namespace lumaedit {

// Of about the last thousand values.
class RecentMean {
 public:
  void Add(double value);
  // Unset: of none.
  std::optional<double> Get() const;

 private:
  double sum_ = 0;
  double count_ = 0;
};

class ListMap {
 public:
  // A longer record is fat, and so is one that a page was not read on in: it ends the reading of a
  // page, and is asked about by its id.
  static constexpr std::int64_t kFatBytes = 256 * 1024;
  static constexpr int kMostRecords = 100;  // of a page

  // A running job's record; `is_newest`: it was just made.
  void Track(const std::string& id, bool is_newest);
  void Untrack(const std::string& id);
  bool IsTracked(const std::string& id) const { return tracked_.contains(id); }
  // It is not where it should be.
  void Displace(const std::string& id);
  // Nothing is known any more: another key shows another list.
  void Clear();

  // A page that began at `offset`. How many tracked records had no place before.
  int Learn(int offset, const std::vector<UpstreamRecord>& records);
  // The upstream gives no more than this at a time.
  void LearnMost(int records) { upstream_most_ = std::clamp(records, 1, upstream_most_); }
  // Perhaps it gives more now.
  void LearnMore() { upstream_most_ = std::min(2 * upstream_most_, kMostRecords); }
  // The record there fails whatever page holds it.
  void LearnUnreadable(int offset) { LearnFat(PlaceAt(offset), {}); }

  std::optional<int> OffsetOf(const std::string& id) const;
  std::size_t unplaced() const { return tracked_.size() - placed_; }
  bool IsFat(const std::string& id) const { return fat_.contains(id); }

  struct Spot {
    int offset;
    std::string id;
  };
  // The tracked ones from `first` to `last`, in the order of the list.
  std::vector<Spot> Spots(int first, int last) const;
  // The nearest fat record before `offset`, and at it or after.
  std::optional<int> FatBefore(int offset) const;
  std::optional<Spot> FatFrom(int offset) const;

  // 2 MB of records of the size of those that pages show whole, at most 100.
  int PageLimit() const;
  // A page with much more to come is not read on in a record that is many times as long as the
  // usual one.
  std::int64_t StopBytes() const;
  // How far a record may be from where it is thought to be.
  int Slack() const;

 private:
  using Place = std::int64_t;
  using Places = std::set<std::pair<Place, std::string>>;
  struct Tracked {
    std::optional<Place> place;
    bool was_seen = false;  // there; else it is a guess
  };

  Place PlaceAt(int offset) const { return newest_ - offset; }
  int OffsetAt(Place place) const;
  void Put(Tracked& tracked, const std::string& id, Place place, bool was_seen);
  void LearnNewest(int offset, const std::vector<UpstreamRecord>& records);
  void LearnFat(Place place, const UpstreamRecord& record);
  void ForgetFat(const std::string& id);
  void ForgetNoLongerFat();

  Place newest_ = 0;
  double drift_ = 0;  // of newest_ between two pages, a mean
  std::unordered_map<std::string, Tracked> tracked_;
  Places places_;
  std::size_t placed_ = 0;
  struct FatRecord {
    Place place;
    std::int64_t bytes;  // as far as it was read at most
  };
  std::unordered_map<std::string, FatRecord> fat_;
  Places fat_places_;
  std::int64_t fat_from_ = kFatBytes;  // StopBytes, when it was last acted upon
  RecentMean whole_bytes_;             // of records that were read whole
  RecentMean read_bytes_;              // of all, as far as they were read
  int upstream_most_ = kMostRecords;
};

}  // namespace lumaedit
