// Messages <-> the bytes that raw gRPC methods see. Any thread.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

namespace lumaedit {

// False: the bytes are not such a message, or a string in them is not UTF-8.
bool ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message& message);

grpc::Slice SerializeToSlice(const google::protobuf::Message& message);
// One slice, so that many streams can share it.
grpc::ByteBuffer SerializeMessage(const google::protobuf::Message& message);

}  // namespace lumaedit
