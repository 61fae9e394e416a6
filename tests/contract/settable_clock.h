// A wall clock that a test sets; for stores, which wait for nothing. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"

namespace lumaedit {

class SettableClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixMicros(micros_.load()); }
  absl::Duration Uptime() const override { return absl::Microseconds(micros_.load()); }
  void Arm(boost::asio::steady_timer&, absl::Duration) override {}
  void Disarm(boost::asio::steady_timer&) override {}

  void Advance(absl::Duration by) { micros_.fetch_add(absl::ToInt64Microseconds(by)); }

 private:
  std::atomic<std::int64_t> micros_{1'700'000'000'000'000};
};

// A log that forgets: what a store logs is not part of its contract.
class SilentLog final : public Log {
 public:
  void Write(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace lumaedit
