// How many sources each caller has and what they take, kept in memory after a first reading of its
// folder. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace lumaedit {

struct SourceUse {
  std::int64_t size_bytes = 0;
  absl::Time expire_time;
};

class SourceQuota {
 public:
  using Uses = std::map<std::string, SourceUse>;  // by source id

  SourceQuota(std::int64_t limit_bytes, std::int64_t limit_count)
      : limit_bytes_(limit_bytes), limit_count_(limit_count) {}

  // Counts a new source, or RESOURCE_EXHAUSTED kQuotaExceeded. `load` reads what the folder holds;
  // it is asked once a folder, with the quota locked, so that nothing is missed between.
  absl::Status Reserve(const std::string& folder, const std::string& id, const SourceUse& use,
                       absl::Time now, absl::FunctionRef<absl::StatusOr<Uses>()> load);

  // After the change is on the disk.
  void Extend(const std::string& folder, const std::string& id, absl::Time expire_time);
  // The source stays, without its bytes.
  void DropBytes(const std::string& folder, const std::string& id);
  void Forget(const std::string& folder, const std::string& id);

 private:
  const std::int64_t limit_bytes_;
  const std::int64_t limit_count_;
  Mutex mutex_;
  std::unordered_map<std::string, Uses> folders_ GUARDED_BY(mutex_);
};

}  // namespace lumaedit
