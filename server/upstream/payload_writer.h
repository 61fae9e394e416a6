// The body of a POST: JSON whose last value is source_data, so that its length is known beforehand
// and a video streams through it. Values; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "server/job/payload.h"

namespace lumaedit {

// The body is `head`, the base64 of the source (when there is one), `tail`.
struct PayloadFrame {
  std::string head;
  std::string tail;
  bool has_source = false;

  // Content-Length for a source of `source_bytes` raw bytes.
  std::int64_t BodySize(std::int64_t source_bytes) const;
};

// Unset values and documented defaults are not written; numbers read back as the same double.
// Texts must be valid UTF-8.
PayloadFrame WritePayload(const std::string& model, const UpstreamPayload& payload);

}  // namespace lumaedit
