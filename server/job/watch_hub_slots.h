// The hub's own records; for watch_hub*.cc alone.
#pragma once

#include <memory>
#include <string>

#include "server/job/watch_hub.h"

namespace lumaedit {

// Transitions that one read of the store brings (protocol.md section 6).
inline constexpr int kReplayPage = 100;

struct WatchHub::CallerSlot : Audience {
  explicit CallerSlot(const std::string& caller) : feed(std::make_shared<CallerFeed>(caller)) {}
  const std::shared_ptr<CallerFeed> feed;
  int jobs = 0;  // feeds of single jobs; while there is one, this slot stays
};

struct WatchHub::JobSlot : Audience {
  std::shared_ptr<JobFeed> feed;
  std::shared_ptr<CallerSlot> caller;
};

}  // namespace lumaedit
