// ResolveJob and RefreshOutput: the calls of people on call, and for output that must be read
// again.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/edit_service.h"
#include "server/rpc/to_proto.h"
#include "server/rpc/unary_call.h"

namespace lumaedit {
namespace {

constexpr std::size_t kMostNoteBytes = 512;

std::vector<Violation> CheckResolve(const v1::ResolveJobRequest& message) {
  std::vector<Violation> violations = CheckJobId(message.job_id());
  if (message.expected_sequence() < 1) {
    violations.push_back({"expected_sequence", "is required: the job's sequence as you saw it"});
  }
  switch (message.resolution_case()) {
    case v1::ResolveJobRequest::kAdoptUpstreamId:
      if (message.adopt_upstream_id().empty()) {
        violations.push_back({"adopt_upstream_id", "must not be empty"});
      }
      break;
    case v1::ResolveJobRequest::kAbandon:
      if (!message.abandon()) violations.push_back({"abandon", "can only be true"});
      break;
    case v1::ResolveJobRequest::RESOLUTION_NOT_SET:
      violations.push_back({"resolution", "one of adopt_upstream_id and abandon is required"});
      break;
  }
  if (message.note().size() > kMostNoteBytes) {
    violations.push_back({"note", absl::StrCat("must be at most ", kMostNoteBytes, " bytes")});
  }
  return violations;
}

}  // namespace

grpc::ServerUnaryReactor* GrpcEditService::ResolveJob(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request,
                                                      grpc::ByteBuffer* response) {
  const Call call{"ResolveJob", context->DefaultReactor(), response};
  return Unary<v1::ResolveJobRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::ResolveJobRequest message) {
        if (auto violations = CheckResolve(message); !violations.empty()) {
          Refuse(call, InvalidFields(std::move(violations)));
          return;
        }
        ResolveRequest resolve;
        resolve.caller = caller.caller;
        resolve.job_id = message.job_id();
        resolve.resolution.adopt_upstream_id = message.adopt_upstream_id();
        resolve.resolution.expected_sequence = message.expected_sequence();
        resolve.resolution.actor = std::move(caller.caller);
        resolve.note = message.note();
        deps_.upstream_calls.Resolve(std::move(resolve), Answer<JobSnapshot>(call, JobToProto));
      });
}

grpc::ServerUnaryReactor* GrpcEditService::RefreshOutput(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  const Call call{"RefreshOutput", context->DefaultReactor(), response};
  return Unary<v1::RefreshOutputRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::RefreshOutputRequest message) {
        if (auto violations = CheckJobId(message.job_id()); !violations.empty()) {
          Refuse(call, InvalidFields(std::move(violations)));
          return;
        }
        deps_.upstream_calls.RefreshOutput(std::move(caller.caller), message.job_id(),
                                           Answer<JobSnapshot>(call, JobToProto));
      });
}

}  // namespace lumaedit
