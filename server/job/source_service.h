// What callers ask of sources: upload one, piece by piece, and look at one.
//
// Owned by `app`. Each method may be called from any thread, returns at once, and gives its reply
// on an upload thread or a probe thread. When too much is waiting the reply is RESOURCE_EXHAUSTED
// kOverloaded. One piece of one upload at a time: the next call only after the reply.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/reply.h"
#include "server/base/worker.h"
#include "server/job/error.h"
#include "server/job/source_measurer.h"
#include "server/job/source_store.h"

namespace lumaedit {

struct SourceSettings {
  std::int64_t largest_bytes = 200'000'000;
  // From the last upload, look for it by an upload, or use of it by a job.
  absl::Duration kept = absl::Hours(24);
};

// What a caller says of an upload before its bytes come.
struct UploadAnnouncement {
  std::string caller;
  std::string source_id;
  std::string media_type;
  std::int64_t size_bytes = 0;
  std::string sha256;       // 32 raw bytes
  std::int64_t offset = 0;  // of the first byte that will come
};

// Every wrong field, named as in the public API ("open.source_id"). Pure.
std::vector<Violation> ValidateUpload(const UploadAnnouncement& announcement,
                                      std::int64_t largest_bytes);

class SourceService {
 public:
  struct Deps {
    SourceStore& sources;
    Worker& worker;  // threads that block for uploads, apart from those of the job store
    SourceMeasurer& measurer;
    Clock& clock;
    Log& log;
  };
  SourceService(Deps deps, SourceSettings settings) : deps_(deps), settings_(settings) {}

  const SourceSettings& settings() const { return settings_; }

  // Begins an upload or finds it. A source that IsUsable needs no bytes. ALREADY_EXISTS
  // kSourceConflict: the id has another announcement. FAILED_PRECONDITION kUploadOffset (metadata:
  // received_bytes): the upload goes on elsewhere. INVALID_ARGUMENT with the reason of the first
  // time: it was rejected. UNAVAILABLE kDraining while stopping. The announcement was validated.
  void Open(UploadAnnouncement announcement, Reply<SourceInfo> reply);

  // Appends a piece; the reply is the offset of the next one. Errors of SourceStore::Append.
  void Append(std::string caller, std::string source_id, std::int64_t offset, std::string piece,
              Reply<std::int64_t> reply);

  // All pieces are in: checks, then measures them. INVALID_ARGUMENT kTruncated (it can go on),
  // kChecksumMismatch, kNotAVideo, kSourceTooLong: then it is REJECTED.
  void Finish(std::string caller, std::string source_id, Reply<SourceInfo> reply);

  // NOT_FOUND kSourceNotFound, the same for another caller's.
  void Get(std::string caller, std::string source_id, Reply<SourceInfo> reply);

  // New uploads are refused with UNAVAILABLE kDraining.
  void Drain() { draining_ = true; }

 private:
  absl::StatusOr<SourceInfo> OpenNow(const UploadAnnouncement& announcement);
  absl::StatusOr<SourceInfo> Conclude(const std::string& caller, const std::string& source_id,
                                      const absl::StatusOr<MediaInfo>& media);

  const Deps deps_;
  const SourceSettings settings_;
  std::atomic<bool> draining_ = false;
};

}  // namespace lumaedit
