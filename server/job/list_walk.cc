#include "server/job/list_walk.h"

#include <algorithm>

namespace lumaedit {
namespace {

// So many have to be missing.
constexpr std::size_t kWorthAWalk = 4;
constexpr absl::Duration kPaceOfSlow = absl::Seconds(2);
// What a walk did not find it will hardly find soon.
constexpr absl::Duration kRest = absl::Minutes(10);
constexpr absl::Duration kShortRest = absl::Seconds(10);
constexpr int kDeepest = 50000;
constexpr int kMostInFlight = 8;
// So many in a row are no broken records, but a list that fails from there on.
constexpr int kMostPassedOver = 3;
constexpr double kHope = 8;  // found a page, before the first
// A page that takes longer is not waited for.
constexpr absl::Duration kPatience = absl::Seconds(5);

}  // namespace

absl::Duration ListWalk::Due(absl::Duration now, std::size_t unplaced) const {
  if (walking_ && !IsStale(now)) {
    if (unplaced == 0 || !HasMore() || in_flight_ >= Ahead(unplaced))
      return absl::InfiniteDuration();
    return is_fast() ? now : std::max(now, last_page_ + kPaceOfSlow);
  }
  if (unplaced < kWorthAWalk) return absl::InfiniteDuration();
  const bool are_new = unplaced >= left_unplaced_ + kWorthAWalk;
  return std::max(now, ended_ + (are_new ? kShortRest : kRest));
}

absl::Duration ListWalk::SeeksUntil() const {
  return is_fast() ? last_page_ + kPatience : -absl::InfiniteDuration();
}

ListWalk::Stretch ListWalk::Next(absl::Duration now, std::size_t unplaced, int limit) {
  if (!walking_ || IsStale(now)) {
    Reset();
    walking_ = true;
    found_a_page_ = std::min(kHope, static_cast<double>(unplaced));
  }
  Stretch stretch{.offset = frontier_, .limit = limit, .round = round_};
  if (!again_.empty()) {
    stretch = again_.front();
    again_.pop_front();
    if (stretch.limit > limit) {
      again_.push_front({stretch.offset + limit, stretch.limit - limit, round_});
      stretch.limit = limit;
    }
  } else {
    frontier_ += limit;
  }
  ++in_flight_;
  last_page_ = now;
  return stretch;
}

void ListWalk::Read(const Stretch& stretch, const Seen& seen, std::size_t unplaced,
                    absl::Duration now) {
  if (stretch.round != round_ || !walking_) return;
  --in_flight_;
  ++pages_;
  passed_over_ = 0;
  found_a_page_ = (found_a_page_ + seen.found) / 2;
  if (seen.at_end) {
    at_end_ = true;
    std::erase_if(again_, [&](const Stretch& left) { return left.offset > stretch.offset; });
  } else if (seen.read < stretch.limit) {
    again_.push_front({stretch.offset + seen.read, stretch.limit - seen.read, round_});
  }
  EndIfOver(unplaced, now);
}

void ListWalk::EndIfOver(std::size_t unplaced, absl::Duration now) {
  if (in_flight_ > 0 || (HasMore() && unplaced > 0)) return;
  walking_ = false;
  ended_ = now;
  left_unplaced_ = unplaced;
}

void ListWalk::NotRead(const Stretch& stretch) {
  if (stretch.round != round_ || !walking_) return;
  --in_flight_;
  // It finds none, so nobody waits for it until a page does.
  found_a_page_ = 0;
  again_.push_front(stretch);
}

bool ListWalk::Failed(const Stretch& stretch, std::size_t unplaced, absl::Duration now) {
  if (stretch.round != round_ || !walking_) return false;
  --in_flight_;
  found_a_page_ = 0;
  // One record may be what fails it.
  const int half = stretch.limit / 2;
  if (stretch.limit > 1) {
    again_.push_front({stretch.offset + half, stretch.limit - half, round_});
    again_.push_front({stretch.offset, half, round_});
    return false;
  }
  if (++passed_over_ >= kMostPassedOver) {
    at_end_ = true;
    std::erase_if(again_, [&](const Stretch& left) { return left.offset > stretch.offset; });
  }
  EndIfOver(unplaced, now);
  return true;
}

bool ListWalk::IsStale(absl::Duration now) const {
  return in_flight_ == 0 && last_page_ + kRest <= now;
}

void ListWalk::Reset() {
  const int round = round_ + 1;
  *this = ListWalk();
  round_ = round;
}

bool ListWalk::HasMore() const { return !again_.empty() || (!at_end_ && frontier_ < kDeepest); }

// One page alone until it is known how long they are; then as many as there may be to find.
int ListWalk::Ahead(std::size_t unplaced) const {
  if (!is_fast() || pages_ == 0) return 1;
  return std::min<int>(kMostInFlight, 1 + static_cast<int>(unplaced / 50));
}

}  // namespace lumaedit
