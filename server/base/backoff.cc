#include "server/base/backoff.h"

#include <algorithm>
#include <cmath>

namespace lumaedit {

absl::Duration BackoffDelay(const BackoffRange& range, int failures, Random& random) {
  // 2^40 times any sensible first delay is beyond any sensible bound, and far from overflow.
  const double factor = std::exp2(std::clamp(failures - 1, 0, 40));
  const absl::Duration bound = std::min(range.most, range.first * factor);
  return bound * std::max(0.1, random.Uniform());
}

}  // namespace lumaedit
