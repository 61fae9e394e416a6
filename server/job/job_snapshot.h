// A job as it is durable, with what only memory knows. A value; any thread.
#pragma once

#include "server/job/job.h"
#include "server/job/live_board.h"

namespace lumaedit {

struct JobSnapshot {
  Job job;
  LiveInfo live;
  absl::Time purge_time = absl::InfinitePast();  // InfinitePast: not before it is final
};

}  // namespace lumaedit
