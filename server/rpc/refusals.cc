#include "server/rpc/refusals.h"

#include "server/rpc/status_mapper.h"

namespace lumaedit {

void Refusals::Count(const absl::Status& status) {
  const auto number = static_cast<std::size_t>(ReasonOf(status));
  counts_[number < counts_.size() ? number : 0].fetch_add(1, std::memory_order_relaxed);
}

std::map<std::string, std::int64_t> Refusals::ByReason() const {
  std::map<std::string, std::int64_t> counts;
  for (std::size_t number = 0; number < counts_.size(); ++number) {
    const std::int64_t count = counts_[number].load(std::memory_order_relaxed);
    if (count == 0) continue;
    counts[std::string(ErrorReasonName(static_cast<ErrorReason>(number)))] += count;
  }
  return counts;
}

}  // namespace lumaedit
