// What the engine is doing, for those who run the gateway. Values; read on the I/O thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace lumaedit {

struct DispatchStatus {
  std::size_t waiting = 0;  // PENDING jobs
  int in_flight = 0;        // POSTs
  // How long nothing is sent because of earlier answers; zero: not held back.
  absl::Duration held_back = absl::ZeroDuration();
  bool refused = false;        // the upstream refused in a way that perhaps concerns everybody
  bool one_at_a_time = false;  // an answer left a doubt
};

struct EngineStatus {
  bool paused = false;    // by an operator
  bool restored = false;  // the store was restored and not compared with the upstream yet
  bool draining = false;
  std::int64_t epoch = 0;
  absl::Duration lease_good_for = absl::ZeroDuration();  // below zero: lost
  DispatchStatus dispatch;
  std::size_t polled = 0;      // QUEUED and PROCESSING jobs
  std::size_t looked_for = 0;  // UNCONFIRMED and HELD jobs
};

}  // namespace lumaedit
