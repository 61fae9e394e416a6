// Removes what is older than the retention times, a few jobs at a time (protocol.md section 5). A
// job that is not final stays, however old; its request id outlives it.
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/base/signal.h"
#include "server/job/engine_context.h"

namespace lumaedit {

class Retention {
 public:
  explicit Retention(EngineContext& context);

  // Until the engine drains.
  boost::asio::awaitable<void> Run();
  void Wake() { wake_.Notify(); }

 private:
  // False: wall time has jumped not long ago, and what it says about ages is not to be trusted.
  bool ClockIsSteady();
  boost::asio::awaitable<void> PurgeAll();

  EngineContext& context_;
  Signal wake_;
  absl::Time looked_wall_;
  absl::Duration looked_uptime_;
  absl::Duration steady_from_ = -absl::InfiniteDuration();  // uptime
};

}  // namespace lumaedit
