// QuoteEdit and GetBudget.
#include <utility>
#include <vector>

#include "server/rpc/from_proto.h"
#include "server/rpc/to_proto.h"
#include "server/rpc/unary_call.h"

namespace lumaedit {
namespace {

// A quote is reckoned as the submission would be, so it is read as one.
SubmitRequest QuoteRequestFromProto(v1::QuoteEditRequest&& message, std::string caller) {
  v1::SubmitEditRequest submission;
  *submission.mutable_edit() = std::move(*message.mutable_edit());
  if (message.has_declared_source_duration()) {
    *submission.mutable_declared_source_duration() = message.declared_source_duration();
  }
  return SubmitRequestFromProto(std::move(submission), std::move(caller));
}

}  // namespace

grpc::ServerUnaryReactor* GrpcEditService::QuoteEdit(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  const Call call{"QuoteEdit", context->DefaultReactor(), response};
  return Unary<v1::QuoteEditRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::QuoteEditRequest message) {
        SubmitRequest quote = QuoteRequestFromProto(std::move(message), std::move(caller.caller));
        if (auto violations = ValidateQuote(quote, settings_.validation); !violations.empty()) {
          Refuse(call, InvalidFields(std::move(violations)));
          return;
        }
        deps_.prices.QuoteEdit(std::move(quote), Answer<Quote>(call, QuoteToProto));
      });
}

grpc::ServerUnaryReactor* GrpcEditService::GetBudget(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  const Call call{"GetBudget", context->DefaultReactor(), response};
  return Unary<v1::GetBudgetRequest>(
      call, *context, *request, [&](CallerIdentity caller, const v1::GetBudgetRequest&) {
        deps_.prices.GetBudget(std::move(caller.caller),
                               Answer<BudgetStatement>(call, BudgetToProto));
      });
}

}  // namespace lumaedit
