// How many calls were refused since the start, by the reason that their callers were told: what
// nobody sees otherwise of a budget that is used up, or of a caller without a certificate. Without
// watches, uploads and waits that were let in and have failed later.
//
// Owned by GrpcEditService. Thread-safe, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace lumaedit {

class Refusals {
 public:
  void Count(const absl::Status& status);
  // By reason, as ErrorInfo names it; those that there were none of are left out.
  std::map<std::string, std::int64_t> ByReason() const;

 private:
  // By the number of the reason.
  std::array<std::atomic<std::int64_t>, 128> counts_ = {};
};

}  // namespace lumaedit
