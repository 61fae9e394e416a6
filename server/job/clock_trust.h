// May wall time be believed, so that what is old by it is removed? A wrong clock would remove what
// is young, and a request_id that is forgotten too early makes a second paid job of a repeat.
//
// Not for a day of uptime after wall time has jumped, nor after a start with a clock that is more
// than a day ahead of when it was last believed; the latter ends at once when the upstream's Date
// agrees with it. That time is kept in the store while the process runs (so neither an idle weekend
// nor a daily restart puts anything off), and only while the clock is believed (so a wrong one does
// not come to be believed by another restart). Whoever set the clock has a day to notice.
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "absl/status/status.h"
#include "server/job/engine_context.h"

namespace lumaedit {

class ClockTrust {
 public:
  explicit ClockTrust(EngineContext& context);

  // At start.
  boost::asio::awaitable<absl::Status> Load();

  // Asked before anything is removed by its age.
  boost::asio::awaitable<bool> MayRemove();

 private:
  void LookForJump();
  bool IsBelieved() const;

  EngineContext& context_;
  absl::Time looked_wall_;
  absl::Duration looked_uptime_;
  absl::Duration steady_from_ = -absl::InfiniteDuration();   // uptime; after a jump
  absl::Duration started_well_ = -absl::InfiniteDuration();  // uptime; after a start that is ahead
  absl::Duration kept_ = -absl::InfiniteDuration();          // uptime of the last word to the store
};

}  // namespace lumaedit
