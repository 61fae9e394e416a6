// What the engine is doing, for those who run the gateway. Values; read on the I/O thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

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

// What the comparison of a restored store with the upstream's list waits for, and how many there
// are of it (restore_check.h).
enum class RestoreWait {
  kNothing,  // it is over, or the store was not restored
  kList,     // the list was not read whole yet, or may not show all records yet
  kKey,      // PENDING jobs that may have been sent under an account that no key given reads
  kInDoubt,  // jobs that the list shows, until it is known whose its records are
  // PENDING jobs that may have been sent since: the backup is older than a day, and the list does
  // not go back to it. A person decides.
  kShortList,
  kPerson,   // records since the backup that nobody knows
  kAccount,  // accounts that no key given reads, and a person
};

constexpr std::string_view RestoreWaitName(RestoreWait wait) {
  switch (wait) {
    case RestoreWait::kNothing:
      return "";
    case RestoreWait::kList:
      return "list";
    case RestoreWait::kKey:
      return "previous_key";
    case RestoreWait::kInDoubt:
      return "jobs_in_doubt";
    case RestoreWait::kShortList:
      return "short_list";
    case RestoreWait::kPerson:
      return "person";
    case RestoreWait::kAccount:
      return "account";
  }
  return "";
}

struct RestoreStatus {
  RestoreWait waits_for = RestoreWait::kNothing;
  int count = 0;
};

struct EngineStatus {
  bool paused = false;    // by an operator
  bool restored = false;  // the store was restored and not compared with the upstream yet
  RestoreStatus restore;
  bool draining = false;
  std::int64_t epoch = 0;
  absl::Duration lease_good_for = absl::ZeroDuration();  // below zero: lost
  DispatchStatus dispatch;
  std::size_t polled = 0;      // QUEUED and PROCESSING jobs
  std::size_t looked_for = 0;  // UNCONFIRMED and HELD jobs
};

}  // namespace lumaedit
