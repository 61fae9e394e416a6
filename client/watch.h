// A watch that survives everything but its job's end.
//
// The gateway numbers a job's transitions 1, 2, 3 … without a gap. A watch keeps the last number it
// delivered; whenever its stream ends without the final transition, it opens another after that
// number. A repeat is dropped; a gap means a broken stream, which is ended and resumed. So
// the callback sees each transition once and in order, over any number of restarts, proxies and
// cuts.
//
// A stream counts as broken when it ends with any status but OK after the final transition, or
// stays silent for three heartbeats. The gateway's RetryInfo is followed; otherwise the waits
// double, up to a cap, with random spread.
//
// These errors end a watch, as another try would give the same answer: NOT_FOUND, UNAUTHENTICATED,
// PERMISSION_DENIED, INVALID_ARGUMENT, OUT_OF_RANGE (after_sequence is beyond the newest), and
// UNIMPLEMENTED (the address is not a gateway).
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
#include "lumaedit/v1/edit_service.pb.h"

namespace lumaedit::client {

struct StreamLimits;

enum class WatchStep { kGoOn, kStop };

// Called on the thread that called Watch, one at a time. kStop ends the watch without an error.
using TransitionCallback = std::function<WatchStep(const v1::Transition& transition)>;

// What every watch takes.
struct FollowOptions {
  // How often the gateway speaks when nothing happens. It allows 5 to 60 s.
  absl::Duration heartbeat_interval = absl::Seconds(15);

  // A stream that says nothing for so long is dead. Zero = three heartbeats.
  absl::Duration silence_limit = absl::ZeroDuration();

  // The limit of the whole watch; it then ends with DEADLINE_EXCEEDED.
  absl::Duration timeout = absl::InfiniteDuration();

  // How long the gateway may stay away before the watch gives up with the last error. Until it has
  // answered for the first time, ConnectionOptions::connect_timeout holds when it is shorter.
  absl::Duration max_outage = absl::InfiniteDuration();

  BackoffOptions backoff;

  // Ends the watch early, with CANCELLED.
  std::stop_token stop;

  // The stream broke; the next is opened after `wait`. May be empty; called on the thread that
  // called the watch.
  std::function<void(const ClientError& error, absl::Duration wait)> on_interrupted;
};

struct WatchOptions : FollowOptions {
  // Both may be empty, and are called on the thread that called Watch.
  // The replay is over; carries the job as it is. Once for every stream. kStop ends the watch.
  std::function<WatchStep(const v1::Job& job)> on_caught_up;
  std::function<void(const v1::Heartbeat& heartbeat)> on_heartbeat;
};

// How a watch ended without an error.
struct WatchEnd {
  // The last sequence delivered, or after_sequence when there was none.
  std::int32_t last_sequence = 0;

  // The final state; the last one seen when a callback stopped the watch.
  v1::Job::State state = v1::Job::STATE_UNSPECIFIED;

  // How many streams were opened after the first.
  int resumes = 0;
};

// The limits of a watch's streams.
StreamLimits LimitsOf(const FollowOptions& options, absl::Duration connect_timeout);

// What Client::Watch does; call that.
Result<WatchEnd> RunWatch(const std::shared_ptr<Connection>& connection,
                          absl::Duration connect_timeout, const std::string& job_id,
                          std::int32_t after_sequence, const TransitionCallback& on_transition,
                          const WatchOptions& options);

}  // namespace lumaedit::client
