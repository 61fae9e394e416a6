#include "server/rpc/transition_encoder.h"

#include "server/rpc/message_bytes.h"
#include "server/rpc/to_proto.h"

namespace lumaedit {

std::shared_ptr<const void> TransitionEncoder::Encode(const std::string& /*job_id*/,
                                                      const Transition& transition) {
  v1::WatchJobResponse response;
  *response.mutable_transition() = TransitionToProto(transition);
  return std::make_shared<const grpc::ByteBuffer>(SerializeMessage(response));
}

std::shared_ptr<const grpc::ByteBuffer> TransitionEncoder::Frame(
    const std::shared_ptr<const void>& encoded) {
  return std::static_pointer_cast<const grpc::ByteBuffer>(encoded);
}

}  // namespace lumaedit
