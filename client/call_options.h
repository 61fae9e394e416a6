// What differs from call to call. A plain value.
#pragma once

#include <functional>
#include <stop_token>

#include "absl/time/time.h"
#include "client/client_error.h"

namespace lumaedit::client {

struct CallOptions {
  // The limit of the whole call, all tries together. Against a gateway that has never answered,
  // ConnectionOptions::connect_timeout holds when it is shorter.
  absl::Duration timeout = absl::Seconds(30);

  // Ends the call early.
  std::stop_token stop;

  // Told before each wait: why the last try failed, and how long until the next. Called on the
  // calling thread. May be empty.
  std::function<void(const ClientError& error, absl::Duration wait)> on_retry;
};

}  // namespace lumaedit::client
