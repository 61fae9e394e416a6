#include "server/media/track_end.h"

namespace lumaedit {
namespace {

constexpr std::int64_t kMostSeconds = 10 * 24 * 3600;
constexpr absl::Duration kBlur = absl::Microseconds(1500);

}  // namespace

bool TrackEnd::IsPlausible(std::int64_t ticks) const {
  const __int128 most = static_cast<__int128>(kMostSeconds) * base_.den / base_.num;
  return ticks <= most && ticks >= -most;
}

bool TrackEnd::Add(std::optional<std::int64_t> pts, std::int64_t duration) {
  if (!pts || duration < 0 || !IsPlausible(*pts) || !IsPlausible(duration)) return false;
  ++frames_;
  start_ = std::min(start_, *pts);
  if (*pts > last_) {
    before_ = last_;
    last_ = *pts;
    last_duration_ = duration;
  } else if (*pts > before_ && *pts < last_) {
    before_ = *pts;
  }
  known_end_ = std::max(known_end_, *pts + duration);
  return true;
}

std::int64_t TrackEnd::end() const {
  std::int64_t guessed = last_ + last_duration_;
  if (last_duration_ == 0 && before_ != std::numeric_limits<std::int64_t>::min()) {
    guessed = last_ + (last_ - before_);
  }
  return std::max(known_end_, guessed);
}

absl::Duration TrackEnd::ToDuration(std::int64_t ticks) const {
  // Plausible times are below 2^21 seconds, so that a million times that fits.
  const __int128 scaled = static_cast<__int128>(ticks) * base_.num * 1'000'000;
  const __int128 whole = scaled / base_.den;
  const bool more = scaled > 0 && scaled % base_.den != 0;
  return absl::Microseconds(static_cast<std::int64_t>(whole) + (more ? 1 : 0));
}

absl::Duration CeilMicroseconds(std::int64_t num, std::int64_t den) {
  const __int128 scaled = static_cast<__int128>(num) * 1'000'000;
  return absl::Microseconds(static_cast<std::int64_t>((scaled + den - 1) / den));
}

absl::Duration SnapToRate(absl::Duration measured, std::int64_t frames, std::int64_t rate_num,
                          std::int64_t rate_den) {
  if (rate_num <= 0 || rate_den <= 0) return measured;
  const __int128 product = static_cast<__int128>(frames) * rate_den;
  if (product > std::numeric_limits<std::int64_t>::max() / 1'000'000) return measured;
  const absl::Duration even = CeilMicroseconds(static_cast<std::int64_t>(product), rate_num);
  return absl::AbsDuration(even - measured) <= kBlur ? even : measured;
}

}  // namespace lumaedit
