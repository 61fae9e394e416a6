// Sources in memory, for tests that are not about sources. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "server/job/source_store.h"

namespace lumaedit {

class FakeSourceStore final : public SourceStore {
 public:
  absl::StatusOr<SourceInfo> Open(const SourceInfo& info) override;
  absl::Status Append(const std::string& caller, const std::string& id, std::int64_t offset,
                      std::string_view bytes) override;
  absl::StatusOr<SourceInfo> Finish(const std::string& caller, const std::string& id,
                                    absl::Duration duration) override;
  absl::StatusOr<SourceInfo> Reject(const std::string& caller, const std::string& id,
                                    ErrorReason reason) override;
  absl::StatusOr<SourceInfo> Get(const std::string& caller, const std::string& id) override;
  absl::StatusOr<std::unique_ptr<SourceReader>> Read(const std::string& caller,
                                                     const std::string& id) override;
  absl::Status KeepUntil(const std::string& caller, const std::string& id,
                         absl::Time expire_time) override;
  absl::StatusOr<int> RemoveExpired(absl::Time now) override;

  std::size_t size() const { return sources_.size(); }

 private:
  struct Kept {
    SourceInfo info;
    std::string bytes;
  };
  absl::StatusOr<Kept*> Find(const std::string& caller, const std::string& id);

  std::map<std::pair<std::string, std::string>, Kept> sources_;
};

}  // namespace lumaedit
