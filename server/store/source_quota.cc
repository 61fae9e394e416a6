#include "server/store/source_quota.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job/error.h"
#include "server/store/status_macros.h"

namespace lumaedit {

absl::Status SourceQuota::Reserve(const std::string& folder, const std::string& id,
                                  const SourceUse& use, absl::Time now,
                                  absl::FunctionRef<absl::StatusOr<Uses>()> load) {
  MutexLock lock(mutex_);
  auto found = folders_.find(folder);
  if (found == folders_.end()) {
    ASSIGN_OR_RETURN(Uses uses, load());
    found = folders_.emplace(folder, std::move(uses)).first;
  }
  std::int64_t used = 0;
  for (const auto& [other, held] : found->second) {
    if (held.expire_time > now && other != id) used += held.size_bytes;
  }
  if (use.size_bytes > limit_bytes_ - used) {
    ErrorDetail detail;
    detail.reason = ErrorReason::kQuotaExceeded;
    detail.metadata = {{"limit_bytes", absl::StrCat(limit_bytes_)},
                       {"used_bytes", absl::StrCat(used)}};
    return MakeError(absl::StatusCode::kResourceExhausted, std::move(detail),
                     "the source does not fit into what is left of the quota for sources");
  }
  found->second[id] = use;
  return absl::OkStatus();
}

void SourceQuota::Extend(const std::string& folder, const std::string& id, absl::Time expire_time) {
  MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return;
  const auto use = found->second.find(id);
  if (use != found->second.end()) use->second.expire_time = expire_time;
}

void SourceQuota::Forget(const std::string& folder, const std::string& id) {
  MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found != folders_.end()) found->second.erase(id);
}

}  // namespace lumaedit
