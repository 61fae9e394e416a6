// What the calls are held to (protocol.md sections 6 and 8). Values; `app` fills them from its
// configuration.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "server/job/validation.h"

namespace lumaedit {

struct RpcSettings {
  ValidationLimits validation;

  absl::Duration usual_heartbeat = absl::Seconds(15);
  absl::Duration least_heartbeat = absl::Seconds(5);
  absl::Duration most_heartbeat = absl::Seconds(60);
  // A stream ends STREAM_ROTATED at this age, give or take a tenth.
  absl::Duration stream_age = absl::Minutes(30);
  // A write that takes longer than this ends the stream.
  absl::Duration stalled_write = absl::Seconds(60);
  // RetryInfo of DRAINING, STREAM_ROTATED and OVERLOADED is drawn from 0 to this.
  absl::Duration retry_spread = absl::Seconds(5);
  // How often streams are looked at for the times above: each may be late by this much.
  absl::Duration tick = absl::Seconds(1);
  int watches_per_connection = 1000;
  // Half of all, so that one caller's leak leaves room for the others.
  int watches_per_caller = 25'000;
  // Over all callers: beyond it a new one ends OVERLOADED. gRPC keeps tens of KB for each.
  int most_watches = 50'000;

  // UploadSource.
  int most_uploads = 64;
  int uploads_per_caller = 16;
  // An upload that says nothing for so long is ended; it can go on.
  absl::Duration upload_silence = absl::Seconds(60);

  // WaitJob.
  absl::Duration usual_wait = absl::Seconds(30);
  absl::Duration most_wait = absl::Minutes(10);

  // Bytes of SubmitEdit messages that wait for the store, over all callers.
  std::int64_t submit_bytes_in_flight = 256 * 1024 * 1024;
};

}  // namespace lumaedit
