#include "server/rpc/message_bytes.h"

#include <grpcpp/support/proto_buffer_reader.h>

namespace lumaedit {

bool ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  // Reading takes references to slices, and the caller's buffer is const: the copy shares them.
  grpc::ByteBuffer copy(bytes);
  if (!copy.Valid()) return false;
  grpc::ProtoBufferReader reader(&copy);
  return reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
}

grpc::Slice SerializeToSlice(const google::protobuf::Message& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<std::uint8_t*>(slice.begin()));
  return slice;
}

grpc::ByteBuffer SerializeMessage(const google::protobuf::Message& message) {
  const grpc::Slice slice = SerializeToSlice(message);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace lumaedit
