// Removes what is older than the retention times, a few jobs at a time (protocol.md section 5). A
// job that is not final stays, however old; its request id outlives it.
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/base/signal.h"
#include "server/job/clock_trust.h"
#include "server/job/engine_context.h"

namespace lumaedit {

class Retention {
 public:
  Retention(EngineContext& context, ClockTrust& clock_trust);

  // Until the engine drains.
  boost::asio::awaitable<void> Run();
  void Wake() { wake_.Notify(); }

 private:
  boost::asio::awaitable<void> PurgeAll();

  EngineContext& context_;
  ClockTrust& clock_trust_;
  Signal wake_;
};

}  // namespace lumaedit
