#include "server/media/byte_window.h"

#include <algorithm>
#include <utility>

#include "server/job/error.h"

namespace lumaedit {
namespace {

constexpr std::int64_t kCacheBytes = 16 * 1024;

}  // namespace

ByteWindow::ByteWindow(SourceReader& source, const Clock& clock, std::int64_t most_bytes,
                       absl::Duration deadline)
    : source_(source),
      clock_(clock),
      size_(source.size_bytes()),
      deadline_(deadline),
      budget_(most_bytes) {}

absl::StatusOr<std::string_view> ByteWindow::Get(std::int64_t offset, std::int64_t count) {
  if (offset < 0 || count < 0 || count > size_ || offset > size_ - count) {
    return absl::OutOfRangeError("past the end of the source");
  }
  const bool cached = offset >= cache_offset_ &&
                      offset + count <= cache_offset_ + static_cast<std::int64_t>(cache_.size());
  if (!cached) {
    if (absl::Status filled = Fill(offset, count); !filled.ok()) return filled;
  }
  return std::string_view(cache_).substr(static_cast<std::size_t>(offset - cache_offset_),
                                         static_cast<std::size_t>(count));
}

absl::Status ByteWindow::Fill(std::int64_t offset, std::int64_t count) {
  if (clock_.Uptime() >= deadline_)
    return absl::UnavailableError("the source could not be probed in time");
  const std::int64_t wanted = std::min(std::max(count, kCacheBytes), size_ - offset);
  if (wanted > budget_) {
    return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kNotAVideo,
                     "the source's headers are too large or too scattered");
  }
  budget_ -= wanted;
  absl::StatusOr<std::string> bytes = source_.Read(offset, wanted);
  if (!bytes.ok()) return bytes.status();
  if (static_cast<std::int64_t>(bytes->size()) < count) {
    return absl::UnavailableError("the source's bytes ended early");
  }
  cache_ = *std::move(bytes);
  cache_offset_ = offset;
  return absl::OkStatus();
}

}  // namespace lumaedit
