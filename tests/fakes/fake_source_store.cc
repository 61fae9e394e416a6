#include "tests/fakes/fake_source_store.h"

#include <algorithm>

namespace lumaedit {
namespace {

class BytesReader final : public SourceReader {
 public:
  explicit BytesReader(std::string bytes) : bytes_(std::move(bytes)) {}
  std::int64_t size_bytes() const override { return static_cast<std::int64_t>(bytes_.size()); }
  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t most) override {
    return bytes_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(most));
  }

 private:
  const std::string bytes_;
};

}  // namespace

absl::StatusOr<FakeSourceStore::Kept*> FakeSourceStore::Find(const std::string& caller,
                                                             const std::string& id) {
  const auto it = sources_.find({caller, id});
  if (it == sources_.end()) return absl::NotFoundError("no such source");
  return &it->second;
}

absl::StatusOr<SourceInfo> FakeSourceStore::Open(const SourceInfo& info) {
  return sources_.try_emplace({info.caller, info.id}, Kept{info, {}}).first->second.info;
}

absl::Status FakeSourceStore::Append(const std::string& caller, const std::string& id,
                                     std::int64_t offset, std::string_view bytes) {
  auto kept = Find(caller, id);
  if (!kept.ok()) return kept.status();
  if (offset != (*kept)->info.received_bytes) return absl::FailedPreconditionError("wrong offset");
  (*kept)->bytes.append(bytes);
  (*kept)->info.received_bytes = static_cast<std::int64_t>((*kept)->bytes.size());
  return absl::OkStatus();
}

absl::StatusOr<SourceInfo> FakeSourceStore::Finish(const std::string& caller, const std::string& id,
                                                   absl::Duration duration) {
  auto kept = Find(caller, id);
  if (!kept.ok()) return kept.status();
  (*kept)->info.state = SourceInfo::State::kReady;
  (*kept)->info.duration = duration;
  return (*kept)->info;
}

absl::StatusOr<SourceInfo> FakeSourceStore::Reject(const std::string& caller, const std::string& id,
                                                   ErrorReason reason) {
  auto kept = Find(caller, id);
  if (!kept.ok()) return kept.status();
  (*kept)->info.state = SourceInfo::State::kRejected;
  (*kept)->info.rejection = reason;
  return (*kept)->info;
}

absl::StatusOr<SourceInfo> FakeSourceStore::Get(const std::string& caller, const std::string& id) {
  auto kept = Find(caller, id);
  if (!kept.ok()) return kept.status();
  return (*kept)->info;
}

absl::StatusOr<std::unique_ptr<SourceReader>> FakeSourceStore::Read(const std::string& caller,
                                                                    const std::string& id) {
  auto kept = Find(caller, id);
  if (!kept.ok()) return kept.status();
  return std::make_unique<BytesReader>((*kept)->bytes);
}

absl::Status FakeSourceStore::KeepUntil(const std::string& caller, const std::string& id,
                                        absl::Time expire_time) {
  auto kept = Find(caller, id);
  if (!kept.ok()) return kept.status();
  (*kept)->info.expire_time = std::max((*kept)->info.expire_time, expire_time);
  return absl::OkStatus();
}

absl::StatusOr<int> FakeSourceStore::RemoveExpired(absl::Time now) {
  return static_cast<int>(std::erase_if(
      sources_, [now](const auto& entry) { return entry.second.info.expire_time <= now; }));
}

}  // namespace lumaedit
