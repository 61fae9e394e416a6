// Port: turns a transition into the bytes of a stream message, once for all its watchers.
//
// Implemented by `rpc`, which alone knows what the slot holds. Called on any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "server/job/job.h"

namespace lumaedit {

class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual std::shared_ptr<const void> Encode(const std::string& job_id,
                                             const Transition& transition) = 0;

  // What a slot costs in memory, in bytes of the message.
  virtual std::size_t ByteSize(const std::shared_ptr<const void>& encoded) const = 0;
};

}  // namespace lumaedit
