// A job's transitions by long polls, for callers behind proxies that break streams.
//
// Each poll is a unary WaitJob that answers at the job's next transition, or when its time is over;
// then the next one is asked. What is promised is what a watch promises: each transition once, in
// order, without a gap, over any number of failed polls. A poll that is not answered in its time is
// taken for a dead connection, which is replaced.
//
// Threads: Wait blocks the calling thread and runs its callbacks there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/connection.h"
#include "client/result.h"
#include "client/watch.h"

namespace lumaedit::client {

struct WaitOptions {
  // How long one poll may take, at most 10 min: below what the proxy in between allows.
  absl::Duration poll = absl::Seconds(30);

  // Return at HELD too, when this call has delivered it: a person must decide.
  bool return_at_held = true;

  // The limit of the whole wait; it then ends with DEADLINE_EXCEEDED.
  absl::Duration timeout = absl::InfiniteDuration();

  // How long the gateway may stay away before the wait gives up with the last error. Until it has
  // answered for the first time, ConnectionOptions::connect_timeout holds when it is shorter.
  absl::Duration max_outage = absl::InfiniteDuration();

  BackoffOptions backoff;

  // Ends the wait early, with CANCELLED.
  std::stop_token stop;

  // A poll failed; the next follows after `wait`. May be empty.
  std::function<void(const ClientError& error, absl::Duration wait)> on_interrupted;
};

// What Client::Wait does; call that.
Result<v1::Job> RunWait(Connection& connection, absl::Duration connect_timeout,
                        const std::string& job_id, std::int32_t after_sequence,
                        const TransitionCallback& on_transition, const WaitOptions& options);

}  // namespace lumaedit::client
