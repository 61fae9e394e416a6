#include "server/store/source_quota.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job/error.h"
#include "server/store/status_macros.h"

namespace lumaedit {
namespace {

absl::Status Exceeded(std::map<std::string, std::string> metadata, std::string_view message) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kQuotaExceeded;
  detail.metadata = std::move(metadata);
  return MakeError(absl::StatusCode::kResourceExhausted, std::move(detail), message);
}

}  // namespace

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
  std::int64_t count = 0;
  for (const auto& [other, held] : found->second) {
    if (held.expire_time <= now || other == id) continue;
    used += held.size_bytes;
    ++count;
  }
  if (use.size_bytes > limit_bytes_ - used) {
    return Exceeded(
        {{"limit_bytes", absl::StrCat(limit_bytes_)}, {"used_bytes", absl::StrCat(used)}},
        "the source does not fit into what is left of the quota for sources");
  }
  if (count >= limit_count_) {
    return Exceeded({{"limit_count", absl::StrCat(limit_count_)}},
                    "there are as many sources as one caller may have");
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

void SourceQuota::DropBytes(const std::string& folder, const std::string& id) {
  MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return;
  const auto use = found->second.find(id);
  if (use != found->second.end()) use->second.size_bytes = 0;
}

void SourceQuota::Forget(const std::string& folder, const std::string& id) {
  MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found != folders_.end()) found->second.erase(id);
}

}  // namespace lumaedit
