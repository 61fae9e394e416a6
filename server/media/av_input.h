// The bytes of one file as libavformat reads them: a SourceReader behind callbacks, with bounds.
//
// Owned by one probe, on its thread.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/job/source_store.h"

struct AVIOContext;

namespace lumaedit {

class AvInput {
 public:
  // `until` is uptime. Reads no more than `most_bytes` in all.
  AvInput(SourceReader& reader, Clock& clock, absl::Duration until, std::int64_t most_bytes);
  ~AvInput();
  AvInput(const AvInput&) = delete;
  AvInput& operator=(const AvInput&) = delete;

  AVIOContext* context() const { return context_; }

  // A bound was reached; everything fails from here on.
  bool spent() const { return spent_; }
  // Somebody wanted bytes that lie beyond the end of the file.
  bool wanted_more() const { return wanted_more_; }
  // What the reader said when it failed.
  const absl::Status& failure() const { return failure_; }

  // Is the time over? Also for libavformat's interrupt callback.
  bool IsLate();

 private:
  static int Read(void* self, std::uint8_t* buffer, int size);
  static std::int64_t Seek(void* self, std::int64_t offset, int whence);
  int ReadSome(std::uint8_t* buffer, int size);
  std::int64_t SeekTo(std::int64_t offset, int whence);

  SourceReader& reader_;
  Clock& clock_;
  const absl::Duration until_;
  const std::int64_t size_;
  std::int64_t bytes_left_;
  std::int64_t offset_ = 0;
  bool spent_ = false;
  bool wanted_more_ = false;
  absl::Status failure_;
  AVIOContext* context_ = nullptr;
};

}  // namespace lumaedit
