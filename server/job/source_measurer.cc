#include "server/job/source_measurer.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "server/job/error.h"

namespace lumaedit {
namespace {

class MemoryReader final : public SourceReader {
 public:
  explicit MemoryReader(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}

  std::int64_t size_bytes() const override { return static_cast<std::int64_t>(bytes_->size()); }

  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t most) override {
    if (offset < 0 || most < 0) return absl::InvalidArgumentError("a negative offset or length");
    return bytes_->substr(static_cast<std::size_t>(std::min(offset, size_bytes())),
                          static_cast<std::size_t>(most));
  }

 private:
  const std::shared_ptr<const std::string> bytes_;
};

absl::Status TooManyWait() {
  ErrorDetail detail;
  detail.reason = ErrorReason::kOverloaded;
  detail.retry_after = absl::Seconds(1);
  return MakeError(absl::StatusCode::kResourceExhausted, std::move(detail),
                   "too many videos are waiting to be measured");
}

}  // namespace

void SourceMeasurer::Measure(std::unique_ptr<SourceReader> bytes, Reply<MediaInfo> reply) {
  // The reply must survive a refused task, which is destroyed: hence the shared holder.
  auto held = std::make_shared<Reply<MediaInfo>>(std::move(reply));
  const bool taken = worker_.TryPost([this, held, bytes = std::move(bytes)]() mutable {
    auto media = ProbeSource(probe_, *bytes, longest_);
    bytes.reset();
    std::move (*held)(std::move(media));
  });
  if (!taken) std::move (*held)(TooManyWait());
}

void SourceMeasurer::Measure(std::shared_ptr<const std::string> bytes, Reply<MediaInfo> reply) {
  Measure(std::make_unique<MemoryReader>(std::move(bytes)), std::move(reply));
}

}  // namespace lumaedit
