// An upload that survives everything but a refusal.
//
// The gateway keeps what has arrived; whenever the stream ends without the answer, the upload asks
// for the offset (GetSource) and goes on there, over any number of breaks. It gives up when no byte
// has gone forward for UploadOptions::max_outage. Whoever uploads the same file again, after a kill
// of either side, goes on too: the id follows from the file.
//
// What may be tried again: lost calls (UNAVAILABLE, DEADLINE_EXCEEDED, a broken connection),
// OVERLOADED, and an offset that has moved on; once, from the beginning, bytes that arrived with
// another hash. All else ends the upload with the gateway's error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/connection.h"
#include "client/result.h"
#include "client/source_file.h"
#include "lumaedit/v1/source.pb.h"

namespace lumaedit::client {

struct UploadProgress {
  enum class Phase { kHashing, kSending, kChecking };
  Phase phase = Phase::kHashing;
  // Of the phase: hashed, or sent (what the gateway had before included). The last few may still be
  // on their way.
  std::int64_t bytes = 0;
  std::int64_t size_bytes = 0;  // 0 while hashing: not known yet
  // Where this run began to send: what was there before.
  std::int64_t begun_at = 0;
};

struct UploadOptions {
  // Empty: SourceIdOf the file.
  std::string source_id;
  // Empty: guessed from the file's extension.
  std::string media_type;

  // How long nothing may go forward before the upload gives up with the last error. Until the
  // gateway has answered for the first time, ConnectionOptions::connect_timeout holds when it is
  // shorter.
  absl::Duration max_outage = absl::Minutes(5);
  // A piece that nobody takes for so long breaks the stream.
  absl::Duration silence_limit = absl::Seconds(60);
  // So does an answer that takes longer, once all is sent: 200 MB are hashed, synced and measured.
  absl::Duration check_limit = absl::Minutes(2);
  BackoffOptions backoff;
  // The most that is sent a second; 0 = no limit. For a line that others need too.
  std::int64_t bytes_per_second = 0;

  // Ends the upload early, with CANCELLED; it can go on later.
  std::stop_token stop;

  // Both may be empty, and are called on the thread that called Upload.
  std::function<void(const UploadProgress& progress)> on_progress;
  // The stream broke; the next is opened after `wait`.
  std::function<void(const ClientError& error, absl::Duration wait)> on_interrupted;
};

// What Client::Upload does with a file that was opened; call that. `ask` is one GetSource with its
// own repeats.
Result<v1::Source> RunUpload(const std::shared_ptr<Connection>& connection,
                             absl::Duration connect_timeout, SourceFile& file,
                             const UploadOptions& options,
                             const std::function<Result<v1::Source>(const std::string& id)>& ask);

}  // namespace lumaedit::client
