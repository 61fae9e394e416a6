#include "server/job/list_map.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_set>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

constexpr double kPageBytes = 2e6;
// While no record has been seen.
constexpr int kFirstPage = 20;
constexpr double kMostKept = 1000;
// So many times the mean, within bounds. Few enough that one fat record in twenty, which counts as
// far as it was read, does not lift it without end.
constexpr double kManyTimes = 8;
constexpr double kLeastStopBytes = 16 * 1024;
constexpr std::size_t kFatKept = 10000;
constexpr int kMostSlack = 10;

}  // namespace

void RecentMean::Add(double value) {
  sum_ += value;
  count_ += 1;
  if (count_ < kMostKept) return;
  sum_ /= 2;
  count_ /= 2;
}

std::optional<double> RecentMean::Get() const {
  if (count_ == 0) return std::nullopt;
  return sum_ / count_;
}

void ListMap::Track(const std::string& id, bool is_newest) {
  const auto [it, is_new] = tracked_.try_emplace(id);
  if (!is_new || !is_newest) return;
  ++newest_;
  Put(it->second, id, newest_, /*was_seen=*/false);
}

void ListMap::Untrack(const std::string& id) {
  Displace(id);
  tracked_.erase(id);
}

void ListMap::Displace(const std::string& id) {
  const auto it = tracked_.find(id);
  if (it == tracked_.end() || !it->second.place) return;
  places_.erase({*it->second.place, id});
  it->second.place.reset();
  --placed_;
}

void ListMap::Clear() { *this = ListMap(); }

int ListMap::OffsetAt(Place place) const {
  return static_cast<int>(
      std::clamp<Place>(newest_ - place, 0, std::numeric_limits<int>::max() / 2));
}

void ListMap::Put(Tracked& tracked, const std::string& id, Place place, bool was_seen) {
  if (tracked.place) {
    places_.erase({*tracked.place, id});
  } else {
    ++placed_;
  }
  tracked.place = place;
  tracked.was_seen = was_seen;
  places_.insert({place, id});
}

// Records that stand deeper than they did were pushed by new ones, at the head. Those that stand
// higher say only that something between was deleted.
void ListMap::LearnNewest(int offset, const std::vector<UpstreamRecord>& records) {
  std::vector<Place> votes;
  int at = offset;
  for (const UpstreamRecord& record : records) {
    const auto tracked = tracked_.find(record.id);
    if (tracked != tracked_.end() && tracked->second.place && tracked->second.was_seen) {
      votes.push_back(*tracked->second.place + at);
    } else if (const auto fat = fat_.find(record.id); fat != fat_.end()) {
      votes.push_back(fat->second.place + at);
    }
    ++at;
  }
  if (votes.empty()) return;
  const auto middle = votes.begin() + static_cast<std::ptrdiff_t>(votes.size() / 2);
  std::nth_element(votes.begin(), middle, votes.end());
  const double off = std::min(std::abs(static_cast<double>(*middle - newest_)), 100.0);
  drift_ = (3 * drift_ + off) / 4;
  newest_ = std::max(newest_, *middle);
}

// What was fat among the small and is not among the large may be read again.
void ListMap::ForgetNoLongerFat() {
  const std::int64_t stop = StopBytes();
  if (stop < 2 * fat_from_) {
    fat_from_ = std::min(fat_from_, stop);
    return;
  }
  fat_from_ = stop;
  std::vector<std::string> small;
  for (const auto& [id, fat] : fat_) {
    if (fat.bytes <= stop) small.push_back(id);
  }
  for (const std::string& id : small) ForgetFat(id);
}

int ListMap::Learn(int offset, const std::vector<UpstreamRecord>& records) {
  LearnNewest(offset, records);
  if (!records.empty()) {
    // What was thought to be fat here and is elsewhere stops no page.
    std::unordered_set<std::string_view> shown;
    for (const UpstreamRecord& record : records) shown.insert(record.id);
    const Place last = PlaceAt(offset + static_cast<int>(records.size()) - 1);
    auto it = fat_places_.lower_bound({last, ""});
    while (it != fat_places_.end() && it->first <= PlaceAt(offset)) {
      if (shown.contains(it->second)) {
        ++it;
        continue;
      }
      fat_.erase(it->second);
      it = fat_places_.erase(it);
    }
  }
  int found = 0;
  for (const UpstreamRecord& record : records) {
    const Place place = PlaceAt(offset++);
    if (record.is_partial || record.bytes > kFatBytes) {
      LearnFat(place, record);
    } else {
      ForgetFat(record.id);
    }
    const auto bytes = static_cast<double>(record.bytes);
    if (!record.is_partial) whole_bytes_.Add(bytes);
    read_bytes_.Add(bytes);
    const auto it = tracked_.find(record.id);
    if (it == tracked_.end()) continue;
    if (!it->second.place) ++found;
    Put(it->second, record.id, place, /*was_seen=*/true);
  }
  ForgetNoLongerFat();
  return found;
}

void ListMap::LearnFat(Place place, const UpstreamRecord& record) {
  // One whose id was not read is known by where it stands.
  const std::string id = record.id.empty() ? absl::StrCat("at ", place) : record.id;
  std::int64_t bytes = record.bytes;
  if (const auto known = fat_.find(id); known != fat_.end()) {
    // Read less far this time, since it was known.
    bytes = std::max(bytes, known->second.bytes);
  }
  ForgetFat(id);
  fat_[id] = {place, bytes};
  fat_places_.insert({place, id});
  // Who was only thought to stand there does not, and would wait behind it for ever.
  std::vector<std::string> guesses;
  for (auto it = places_.lower_bound({place, ""}); it != places_.end() && it->first == place;
       ++it) {
    if (it->second != record.id && !tracked_.at(it->second).was_seen) guesses.push_back(it->second);
  }
  for (const std::string& guess : guesses) Displace(guess);
  if (fat_.size() > kFatKept) {
    const std::string oldest = fat_places_.begin()->second;
    ForgetFat(oldest);
  }
}

void ListMap::ForgetFat(const std::string& id) {
  const auto it = fat_.find(id);
  if (it == fat_.end()) return;
  fat_places_.erase({it->second.place, id});
  fat_.erase(it);
}

std::optional<int> ListMap::OffsetOf(const std::string& id) const {
  const auto it = tracked_.find(id);
  if (it == tracked_.end() || !it->second.place) return std::nullopt;
  return OffsetAt(*it->second.place);
}

std::vector<ListMap::Spot> ListMap::Spots(int first, int last) const {
  std::vector<Spot> spots;
  auto it = places_.lower_bound({PlaceAt(last), ""});
  for (; it != places_.end() && it->first <= PlaceAt(first); ++it) {
    spots.push_back({OffsetAt(it->first), it->second});
  }
  std::reverse(spots.begin(), spots.end());
  return spots;
}

std::optional<int> ListMap::FatBefore(int offset) const {
  const auto it = fat_places_.lower_bound({PlaceAt(offset) + 1, ""});
  if (it == fat_places_.end()) return std::nullopt;
  return OffsetAt(it->first);
}

std::optional<ListMap::Spot> ListMap::FatFrom(int offset) const {
  auto it = fat_places_.lower_bound({PlaceAt(offset) + 1, ""});
  if (it == fat_places_.begin()) return std::nullopt;
  --it;
  return Spot{OffsetAt(it->first), it->second};
}

int ListMap::PageLimit() const {
  const std::optional<double> mean = whole_bytes_.Get();
  if (!mean) return std::min(kFirstPage, upstream_most_);
  const double fits = std::min(kPageBytes / std::max(1.0, *mean), double{kMostRecords});
  return std::clamp(static_cast<int>(fits), 1, upstream_most_);
}

std::int64_t ListMap::StopBytes() const {
  const std::optional<double> mean = read_bytes_.Get();
  if (!mean) return kFatBytes;
  return static_cast<std::int64_t>(
      std::clamp(kManyTimes * *mean, kLeastStopBytes, double{kFatBytes}));
}

int ListMap::Slack() const {
  return std::min(static_cast<int>(std::ceil(2 * drift_ - 0.1)), kMostSlack);
}

}  // namespace lumaedit
