// UploadSource and GetSource.
#include <utility>

#include "server/rpc/to_proto.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/upload_reactor.h"

namespace lumaedit {

grpc::ServerReadReactor<grpc::ByteBuffer>* GrpcEditService::RefuseUpload(
    const absl::Status& status) {
  refusals_.Count(status);
  return new RefusedUpload(status);
}

grpc::ServerReadReactor<grpc::ByteBuffer>* GrpcEditService::UploadSource(
    grpc::CallbackServerContext* context, grpc::ByteBuffer* response) {
  auto caller = Authenticate(*context);
  if (!caller.ok()) return RefuseUpload(caller.status());
  auto reactor = std::make_shared<UploadReactor>(
      UploadReactor::Deps{deps_.sources, uploads_, deps_.clock, deps_.log}, caller->caller,
      settings_.upload_silence, response);
  if (absl::Status added = uploads_.Add(reactor, {caller->caller}); !added.ok()) {
    return RefuseUpload(added);
  }
  reactor->Start();
  return reactor.get();
}

grpc::ServerUnaryReactor* GrpcEditService::GetSource(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  const Call call{"GetSource", context->DefaultReactor(), response};
  return Unary<v1::GetSourceRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::GetSourceRequest message) {
        if (message.source_id().empty()) {
          Refuse(call, InvalidFields({{"source_id", "is required"}}));
          return;
        }
        deps_.sources.Get(std::move(caller.caller), message.source_id(),
                          Answer<SourceInfo>(call, SourceToProto));
      });
}

}  // namespace lumaedit
