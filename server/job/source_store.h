// Port: source videos with an expiry, by caller. Synchronous; store threads only; thread-safe.
//
// Videos live here, never in a job row or a log.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/job/error.h"

namespace lumaedit {

struct SourceInfo {
  enum class State { kUploading = 1, kReady = 2, kRejected = 3 };
  std::string caller;
  std::string id;
  State state = State::kUploading;
  std::string media_type;
  std::int64_t size_bytes = 0;                     // as announced
  std::int64_t received_bytes = 0;                 // the offset to resume at
  std::string sha256;                              // lower-case hex, as announced
  absl::Duration duration = absl::ZeroDuration();  // zero: not measured
  absl::Time expire_time = absl::InfinitePast();
  ErrorReason rejection = ErrorReason::kUnspecified;

  // What callers are told is READY. Whole and checked, but not measured yet, is for the gateway
  // alone: a kill between the two leaves it so, and the next end of the upload measures it.
  bool IsUsable() const { return state == State::kReady && duration > absl::ZeroDuration(); }
};

// Random access to the bytes of a READY source; used by one thread at a time.
class SourceReader {
 public:
  virtual ~SourceReader() = default;
  virtual std::int64_t size_bytes() const = 0;
  // Up to `most` bytes from `offset`; fewer only at the end.
  virtual absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t most) = 0;
};

class SourceStore {
 public:
  virtual ~SourceStore() = default;

  // Starts or finds an upload. An existing id answers what it is, whatever `info` says; the caller
  // compares. One that was rejected for its sha256 begins anew: other bytes may have it.
  // RESOURCE_EXHAUSTED kQuotaExceeded: the caller's quota would be exceeded.
  virtual absl::StatusOr<SourceInfo> Open(const SourceInfo& info) = 0;

  // Appends at `offset`, which must be received_bytes, else FAILED_PRECONDITION kUploadOffset
  // (metadata: received_bytes). Durable when the upload is finished, not before. UNAVAILABLE
  // kStorageFull: no space, nothing was appended.
  virtual absl::Status Append(const std::string& caller, const std::string& id, std::int64_t offset,
                              std::string_view bytes) = 0;

  // All bytes are in: checks size and sha256, makes the bytes and the state durable. Only then can
  // they be read, and so measured: `duration` is zero in this first call, and a second one brings
  // it. INVALID_ARGUMENT kTruncated: bytes are missing, and the upload can go on (metadata:
  // received_bytes). INVALID_ARGUMENT kChecksumMismatch: the upload is REJECTED now.
  virtual absl::StatusOr<SourceInfo> Finish(const std::string& caller, const std::string& id,
                                            absl::Duration duration) = 0;

  virtual absl::StatusOr<SourceInfo> Reject(const std::string& caller, const std::string& id,
                                            ErrorReason reason) = 0;

  // NOT_FOUND for an unknown, an expired and another caller's id alike.
  virtual absl::StatusOr<SourceInfo> Get(const std::string& caller, const std::string& id) = 0;

  virtual absl::StatusOr<std::unique_ptr<SourceReader>> Read(const std::string& caller,
                                                             const std::string& id) = 0;

  // Puts the expiry off, for a source that a job needs, also of one that has expired but was not
  // removed yet. Never brings it nearer.
  virtual absl::Status KeepUntil(const std::string& caller, const std::string& id,
                                 absl::Time expire_time) = 0;

  // Removes what expired before `now`; answers how many.
  virtual absl::StatusOr<int> RemoveExpired(absl::Time now) = 0;
};

}  // namespace lumaedit
