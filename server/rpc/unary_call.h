// What the unary calls of GrpcEditService have in common: definitions of its templates, for the .cc
// files that hold its methods. gRPC threads.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "server/job/error.h"
#include "server/rpc/edit_service.h"
#include "server/rpc/message_bytes.h"

namespace lumaedit {

inline absl::Status Malformed() {
  return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kMalformedMessage,
                   "the request is not such a message, or a string in it is not UTF-8");
}

// Bytes; the ids that the gateway gives have 36.
inline constexpr std::size_t kLongestJobId = 64;

inline std::vector<Violation> CheckJobId(const std::string& job_id) {
  if (job_id.empty()) return {{"job_id", "is required"}};
  if (job_id.size() > kLongestJobId) return {{"job_id", "is longer than the id of any job"}};
  return {};
}

template <typename Request, typename Handle>
grpc::ServerUnaryReactor* GrpcEditService::Unary(const Call& call,
                                                 const grpc::CallbackServerContext& context,
                                                 const grpc::ByteBuffer& bytes, Handle handle) {
  auto caller = Authenticate(context);
  Request request;
  if (!caller.ok()) {
    Refuse(call, caller.status());
  } else if (!ParseMessage(bytes, request)) {
    Refuse(call, Malformed());
  } else {
    handle(*std::move(caller), std::move(request));
  }
  return call.reactor;
}

template <typename T, typename Convert>
Reply<T> GrpcEditService::Answer(const Call& call, Convert convert) {
  return Reply<T>([this, call, convert = std::move(convert)](absl::StatusOr<T> result) mutable {
    if (!result.ok()) {
      Refuse(call, result.status());
      return;
    }
    *call.response = SerializeMessage(convert(*result));
    call.reactor->Finish(grpc::Status::OK);
  });
}

}  // namespace lumaedit
