// Encodes a transition as the bytes of a WatchJobResponse, once for all who watch the job.
// Stateless; any thread.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <string>

#include "server/job/encoder.h"

namespace lumaedit {

class TransitionEncoder final : public Encoder {
 public:
  std::shared_ptr<const void> Encode(const std::string& job_id,
                                     const Transition& transition) override;
  std::size_t ByteSize(const std::shared_ptr<const void>& encoded) const override {
    return Bytes(encoded).size();
  }

  // What Encode put into a feed's slot: a whole message of WatchJob, and its bytes, which begin one
  // of WatchJobs.
  static std::shared_ptr<const grpc::ByteBuffer> Frame(const std::shared_ptr<const void>& encoded);
  static const grpc::Slice& Bytes(const std::shared_ptr<const void>& encoded);
};

}  // namespace lumaedit
