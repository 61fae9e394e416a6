// Measures sources on threads of its own, a bounded number at a time: a video may take seconds, and
// neither a handler nor a store thread waits for one.
//
// Owned by `app`. Measure may be called from any thread and returns at once; the reply comes on a
// probe thread.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/base/reply.h"
#include "server/base/worker.h"
#include "server/job/media_probe.h"
#include "server/job/source_store.h"

namespace lumaedit {

class SourceMeasurer {
 public:
  // The probe has its own bound on time. Videos longer than `longest` are refused.
  SourceMeasurer(MediaProbe& probe, Worker& worker, absl::Duration longest)
      : probe_(probe), worker_(worker), longest_(longest) {}

  // Errors of ProbeSource; RESOURCE_EXHAUSTED kOverloaded when too many are waiting.
  void Measure(std::unique_ptr<SourceReader> bytes, Reply<MediaInfo> reply);

  // The same of bytes in memory, which stay there until the reply.
  void Measure(std::shared_ptr<const std::string> bytes, Reply<MediaInfo> reply);

 private:
  MediaProbe& probe_;
  Worker& worker_;
  const absl::Duration longest_;
};

}  // namespace lumaedit
