// Port: turns a transition into the bytes of a stream message, once for all its watchers.
//
// Implemented by `rpc`, which alone knows what the slot holds. Called on any thread.
#pragma once

#include <memory>
#include <string>

#include "server/job/job.h"

namespace lumaedit {

class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual std::shared_ptr<const void> Encode(const std::string& job_id,
                                             const Transition& transition) = 0;
};

}  // namespace lumaedit
