// A job as it is durable, with what only memory knows. A value; any thread.
#pragma once

#include "server/job/job.h"
#include "server/job/live_board.h"

namespace lumaedit {

struct JobSnapshot {
  Job job;
  LiveInfo live;
};

}  // namespace lumaedit
