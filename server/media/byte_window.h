// The bytes of a source as the probe reads them: through one small cache, within a budget.
//
// Owned by one Probe call; its thread only. Every way to the source goes through here, so that a
// hostile file can cost no more than the budget, whatever its size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/job/source_store.h"

namespace lumaedit {

class ByteWindow {
 public:
  // `source` and `clock` must outlive this. `deadline` is uptime.
  ByteWindow(SourceReader& source, const Clock& clock, std::int64_t most_bytes,
             absl::Duration deadline);

  std::int64_t size() const { return size_; }

  // Exactly `count` bytes from `offset`, valid until the next call. OUT_OF_RANGE past the end.
  // INVALID_ARGUMENT kNotAVideo: the budget of bytes is spent. UNAVAILABLE: the time is up.
  absl::StatusOr<std::string_view> Get(std::int64_t offset, std::int64_t count);

 private:
  absl::Status Fill(std::int64_t offset, std::int64_t count);

  SourceReader& source_;
  const Clock& clock_;
  const std::int64_t size_;
  const absl::Duration deadline_;
  std::int64_t budget_;
  std::string cache_;
  std::int64_t cache_offset_ = 0;
};

}  // namespace lumaedit
