// A unary call with bytes of the test's choice instead of a message. Blocks, waits for the server
// for up to 20 s.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <string_view>

namespace lumaedit {

// `method` is one of EditService, or a full path that begins with a slash. `answer`: the bytes that
// came back; may be null.
grpc::Status RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     std::string_view bytes,
                     grpc_compression_algorithm compression = GRPC_COMPRESS_NONE,
                     std::string* answer = nullptr);

}  // namespace lumaedit
