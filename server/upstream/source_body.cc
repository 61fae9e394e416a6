#include "server/upstream/source_body.h"

#include <algorithm>
#include <utility>

#include "server/upstream/base64.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// A multiple of 3 whose base64 is 64 KiB.
constexpr std::int64_t kSliceBytes = 48 * 1024;

}  // namespace

SourceBody::SourceBody(PayloadFrame frame, std::unique_ptr<SourceReader> source, std::string sha256,
                       Worker& worker)
    : frame_(std::move(frame)),
      source_(std::move(source)),
      sha256_(std::move(sha256)),
      worker_(worker),
      source_bytes_(source_ ? source_->size_bytes() : 0),
      size_(frame_.BodySize(source_bytes_)) {}

std::int64_t SourceBody::size() const { return size_; }

asio::awaitable<absl::StatusOr<std::string>> SourceBody::Next() {
  if (!head_given_) {
    head_given_ = true;
    // A prompt is at most 6000 code points: one slice holds it.
    co_return std::move(frame_.head);
  }
  if (offset_ < source_bytes_) {
    const std::int64_t most = std::min(kSliceBytes, source_bytes_ - offset_);
    // Named: gcc 12 destroys a lambda twice that is a temporary of a co_await expression.
    auto read = [source = source_, offset = offset_, most] { return source->Read(offset, most); };
    absl::StatusOr<std::string> bytes = co_await Offload(worker_, std::move(read));
    if (!bytes.ok()) co_return absl::UnavailableError("the source could not be read");
    if (static_cast<std::int64_t>(bytes->size()) != most) {
      co_return absl::DataLossError("the source is shorter than it was");
    }
    offset_ += most;
    hash_.Update(*bytes);
    co_return Base64Encode(*bytes);
  }
  if (!tail_given_) {
    tail_given_ = true;
    if (source_ && hash_.FinishHex() != sha256_) {
      co_return absl::DataLossError("the source is not the one that was announced");
    }
    co_return std::move(frame_.tail);
  }
  co_return std::string();
}

}  // namespace lumaedit
