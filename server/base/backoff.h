// How long to wait before the next attempt: exponential with full jitter, bounded.
#pragma once

#include "absl/time/time.h"
#include "server/base/random.h"

namespace lumaedit {

struct BackoffRange {
  absl::Duration first;
  absl::Duration most;
};

// `failures` counts those so far, from 1. The answer lies in [0, min(most, first *
// 2^(failures-1))], but is never shorter than a tenth of that bound, so that a lucky draw does not
// become a busy loop.
absl::Duration BackoffDelay(const BackoffRange& range, int failures, Random& random);

}  // namespace lumaedit
