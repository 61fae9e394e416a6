#include "virtual_clock.h"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace lumaedit::simulator {

VirtualClock::VirtualClock(double factor, double offset_seconds, bool virtual_timestamps)
    : origin_(std::chrono::steady_clock::now()),
      unix_millis_origin_(std::chrono::duration_cast<std::chrono::milliseconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count()),
      offset_seconds_(offset_seconds),
      virtual_timestamps_(virtual_timestamps),
      stretches_{{0.0, 0.0, factor}} {}

double VirtualClock::RealNow() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - origin_).count();
}

double VirtualClock::Now() const {
  const Stretch& last = stretches_.back();
  return last.start + (RealNow() - last.real) * last.factor;
}

void VirtualClock::Advance(double virtual_seconds) {
  const double real = RealNow();
  const Stretch& last = stretches_.back();
  const double now = last.start + (real - last.real) * last.factor;
  stretches_.push_back({real, now + virtual_seconds, last.factor});
}

void VirtualClock::SetFactor(double factor) {
  const double real = RealNow();
  const Stretch& last = stretches_.back();
  stretches_.push_back({real, last.start + (real - last.real) * last.factor, factor});
}

double VirtualClock::RealSeconds(double virtual_seconds) const {
  return virtual_seconds / stretches_.back().factor;
}

int64_t VirtualClock::UnixMillis(double virtual_time) const {
  double real = 0.0;
  for (size_t i = 0; i < stretches_.size(); ++i) {
    const Stretch& stretch = stretches_[i];
    if (virtual_time < stretch.start) {
      real = stretch.real;
      break;
    }
    real = stretch.real + (virtual_time - stretch.start) / stretch.factor;
    if (i + 1 < stretches_.size() && real <= stretches_[i + 1].real) break;
  }
  return unix_millis_origin_ + static_cast<int64_t>(std::llround(real * 1000.0));
}

int64_t VirtualClock::UnixMillisNow() const {
  return unix_millis_origin_ + static_cast<int64_t>(std::llround(RealNow() * 1000.0));
}

int64_t VirtualClock::Stamp(double virtual_time) const {
  const double millis = virtual_timestamps_
                            ? static_cast<double>(unix_millis_origin_) + virtual_time * 1000.0
                            : static_cast<double>(UnixMillis(virtual_time));
  return static_cast<int64_t>(std::floor(millis / 1000.0 + offset_seconds_));
}

std::string VirtualClock::HttpDate(double ahead_seconds) const {
  const auto seconds = static_cast<std::time_t>(
      std::floor(static_cast<double>(Stamp(Now())) + std::max(ahead_seconds, -1.0e9)));
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text, size);
}

}  // namespace lumaedit::simulator
