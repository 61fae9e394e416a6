// Two clocks in one. Virtual seconds since start drive how records progress: they run with a factor
// and can be moved ahead. Wall time is what the world outside sees in Date headers and, unless the
// timestamps are virtual too, in created_at. Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace lumaedit::simulator {

class VirtualClock {
 public:
  VirtualClock(double factor, double offset_seconds, bool virtual_timestamps);

  // Virtual seconds since start.
  double Now() const;
  void Advance(double virtual_seconds);
  void SetFactor(double factor);
  void SetOffset(double seconds) { offset_seconds_ = seconds; }

  // Real seconds that the given virtual ones take at the present factor.
  double RealSeconds(double virtual_seconds) const;
  // Real Unix milliseconds at which `virtual_time` was or will be reached, without the offset, so
  // that a test on the same machine may subtract it from its own clock.
  int64_t UnixMillis(double virtual_time) const;
  int64_t UnixMillisNow() const;
  // Unix seconds as the upstream would show them for something that happened at `virtual_time`.
  int64_t Stamp(double virtual_time) const;
  // RFC 9110 date of now, with the offset, `ahead_seconds` later.
  std::string HttpDate(double ahead_seconds = 0.0) const;

 private:
  // A stretch of time with one factor and no jump.
  struct Stretch {
    double real = 0.0;
    double start = 0.0;
    double factor = 1.0;
  };

  double RealNow() const;

  std::chrono::steady_clock::time_point origin_;
  int64_t unix_millis_origin_;
  double offset_seconds_;
  bool virtual_timestamps_;
  std::vector<Stretch> stretches_;
};

}  // namespace lumaedit::simulator
