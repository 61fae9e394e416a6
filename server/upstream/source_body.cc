#include "server/upstream/source_body.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <utility>

#include "server/base/hash.h"
#include "server/upstream/base64.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// A multiple of 3 whose base64 is 64 KiB.
constexpr std::int64_t kSliceBytes = 48 * 1024;
// At a time: a change of threads costs as much as a slice.
constexpr std::size_t kSlicesAtATime = 4;

}  // namespace

// Touched by one task at a time: the next begins when the I/O thread has what this one brought.
struct SourceBody::Reading {
  std::unique_ptr<SourceReader> source;
  std::int64_t bytes = 0;
  std::string sha256;
  std::int64_t offset = 0;
  Sha256Stream hash;

  // Some slices more; ended by one that could not be read, or by the end.
  absl::Status Bring(std::deque<std::string>& slices) {
    for (std::size_t i = 0; i < kSlicesAtATime && offset < bytes; ++i) {
      const std::int64_t most = std::min(kSliceBytes, bytes - offset);
      const absl::StatusOr<std::string> read = source->Read(offset, most);
      if (!read.ok()) return absl::UnavailableError("the source could not be read");
      if (static_cast<std::int64_t>(read->size()) != most) {
        return absl::DataLossError("the source is shorter than it was");
      }
      offset += most;
      hash.Update(*read);
      slices.push_back(Base64Encode(*read));
    }
    if (offset == bytes && hash.FinishHex() != sha256) {
      return absl::DataLossError("the source is not the one that was announced");
    }
    return absl::OkStatus();
  }
};

struct SourceBody::Ahead {
  explicit Ahead(const asio::any_io_executor& executor) : changed(executor) {
    changed.expires_at(std::chrono::steady_clock::time_point::max());
  }
  asio::steady_timer changed;
  std::deque<std::string> slices;
  absl::Status status;
  bool is_reading = false;
  bool is_last = false;
};

SourceBody::SourceBody(PayloadFrame frame, std::unique_ptr<SourceReader> source, std::string sha256,
                       Worker& worker)
    : frame_(std::move(frame)),
      worker_(worker),
      size_(frame_.BodySize(source ? source->size_bytes() : 0)) {
  if (source == nullptr) return;
  reading_ = std::make_shared<Reading>();
  reading_->bytes = source->size_bytes();
  reading_->source = std::move(source);
  reading_->sha256 = std::move(sha256);
}

SourceBody::~SourceBody() = default;

std::int64_t SourceBody::size() const { return size_; }

void SourceBody::ReadOn(const asio::any_io_executor& executor) {
  ahead_->is_reading = true;
  worker_.Post([executor, reading = reading_, weak = std::weak_ptr<Ahead>(ahead_)] {
    auto slices = std::make_shared<std::deque<std::string>>();
    absl::Status status = reading->Bring(*slices);
    const bool is_last = reading->offset == reading->bytes;
    asio::post(executor, [weak, slices, is_last, status = std::move(status)]() mutable {
      const std::shared_ptr<Ahead> ahead = weak.lock();
      if (ahead == nullptr) return;
      std::move(slices->begin(), slices->end(), std::back_inserter(ahead->slices));
      ahead->status = std::move(status);
      ahead->is_last = is_last;
      ahead->is_reading = false;
      ahead->changed.cancel();
    });
  });
}

asio::awaitable<absl::StatusOr<std::string>> SourceBody::Next() {
  if (reading_ != nullptr) {
    const auto executor = co_await asio::this_coro::executor;
    if (ahead_ == nullptr) ahead_ = std::make_shared<Ahead>(executor);
    // Before they run out, so that the wire never waits for the disk.
    const bool is_due =
        ahead_->slices.size() <= kSlicesAtATime && !ahead_->is_last && ahead_->status.ok();
    if (is_due && !ahead_->is_reading) ReadOn(executor);
  }
  if (!head_given_) {
    head_given_ = true;
    // A prompt is at most 6000 code points: one slice holds it.
    co_return std::move(frame_.head);
  }
  if (reading_ != nullptr) {
    while (ahead_->slices.empty() && ahead_->is_reading) {
      co_await ahead_->changed.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    // A source that is not whole is given out no further, though its hash was seen before its end.
    if (!ahead_->status.ok()) co_return ahead_->status;
    if (!ahead_->slices.empty()) {
      std::string slice = std::move(ahead_->slices.front());
      ahead_->slices.pop_front();
      co_return slice;
    }
  }
  if (!tail_given_) {
    tail_given_ = true;
    co_return std::move(frame_.tail);
  }
  co_return std::string();
}

}  // namespace lumaedit
