#include "server/job/sweep_plan.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lumaedit {
namespace {

// A page is worth its request from two jobs on, and its bytes from one in so many records.
constexpr int kLeastServed = 2;
constexpr int kMostRecordsEach = 30;
// A fat record costs no fewer bytes at a page's end than by its id, so it may not lengthen the page
// by much.
constexpr int kMostBeforeFat = 5;

bool FollowsUseful(const ListMap& map, int offset,
                   absl::FunctionRef<bool(const std::string& id)> is_useful) {
  for (const ListMap::Spot& spot : map.Spots(offset - kMostBeforeFat, offset - 1)) {
    if (is_useful(spot.id)) return true;
  }
  return false;
}

}  // namespace

std::optional<SweepPage> PlanPage(const ListMap& map, const std::string& id,
                                  absl::FunctionRef<bool(const std::string& id)> is_useful) {
  const std::optional<int> at = map.OffsetOf(id);
  if (!at) return std::nullopt;
  const int limit = map.PageLimit();
  const int slack = std::min(map.Slack(), (limit - 1) / 4);
  // What it may span: the slack lies outside.
  const int span = limit - 2 * slack;

  int first = std::max(0, *at - span + 1);
  int last = *at + span - 1;
  if (const auto fat = map.FatBefore(*at)) first = std::max(first, *fat + 1);
  if (const auto fat = map.FatFrom(*at); fat && fat->offset <= last) {
    const bool is_served =
        (fat->id == id || is_useful(fat->id)) && FollowsUseful(map, fat->offset, is_useful);
    last = is_served ? fat->offset : fat->offset - 1;
    if (last < *at) return std::nullopt;
  }
  const int barred_below = first;
  const int barred_above = last;

  std::vector<ListMap::Spot> spots = map.Spots(first, last);
  std::erase_if(spots,
                [&](const ListMap::Spot& spot) { return spot.id != id && !is_useful(spot.id); });
  // The stretch of at most `span` records that holds `at` and the most of them.
  std::size_t best_begin = 0;
  std::size_t best_count = 0;
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < spots.size() && spots[begin].offset <= *at; ++begin) {
    while (end < spots.size() && spots[end].offset - spots[begin].offset < span) ++end;
    if (spots[end - 1].offset < *at) continue;
    if (end - begin > best_count) {
      best_begin = begin;
      best_count = end - begin;
    }
  }
  if (best_count < kLeastServed) return std::nullopt;
  const int from = spots[best_begin].offset;
  const int to = spots[best_begin + best_count - 1].offset;
  if (to - from + 1 > static_cast<int>(best_count) * kMostRecordsEach) return std::nullopt;

  SweepPage page;
  page.offset = std::max(from - slack, barred_below);
  page.limit = std::min(std::min(to + slack, barred_above) - page.offset + 1, limit);
  for (std::size_t i = best_begin; i < best_begin + best_count; ++i) {
    page.serves.push_back(spots[i].id);
  }
  return page;
}

}  // namespace lumaedit
