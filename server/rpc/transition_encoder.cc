#include "server/rpc/transition_encoder.h"

#include <utility>

#include "server/rpc/message_bytes.h"
#include "server/rpc/to_proto.h"

namespace lumaedit {
namespace {

struct Encoded {
  explicit Encoded(grpc::Slice slice) : bytes(std::move(slice)), frame(&bytes, 1) {}
  const grpc::Slice bytes;
  const grpc::ByteBuffer frame;  // of the same bytes
};

}  // namespace

std::shared_ptr<const void> TransitionEncoder::Encode(const std::string& /*job_id*/,
                                                      const Transition& transition) {
  v1::WatchJobResponse response;
  *response.mutable_transition() = TransitionToProto(transition);
  return std::make_shared<const Encoded>(SerializeToSlice(response));
}

std::shared_ptr<const grpc::ByteBuffer> TransitionEncoder::Frame(
    const std::shared_ptr<const void>& encoded) {
  return {encoded, &static_cast<const Encoded*>(encoded.get())->frame};
}

const grpc::Slice& TransitionEncoder::Bytes(const std::shared_ptr<const void>& encoded) {
  return static_cast<const Encoded*>(encoded.get())->bytes;
}

}  // namespace lumaedit
