// One unary call with its tries: what is repeated, how long, and over which connection.
//
// Made for one call and used by its thread only; a stop request may come from any thread.
#pragma once

#include <grpcpp/client_context.h>

#include <algorithm>
#include <stop_token>

#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/call_options.h"
#include "client/connection.h"
#include "client/deadline.h"
#include "client/result.h"

namespace lumaedit::client {

struct UnaryLimits {
  absl::Duration attempt_timeout;  // of one try
  absl::Duration connect_timeout;  // of all of them, against a gateway that has never answered
  BackoffOptions backoff;
};

class UnaryCall {
 public:
  // All must outlive the call.
  UnaryCall(const UnaryLimits& limits, Connection& connection, const CallOptions& call);

  template <typename Request, typename Response>
  Result<Response> Run(grpc::Status (v1::EditService::Stub::*method)(grpc::ClientContext*,
                                                                     const Request&, Response*),
                       const Request& request) {
    for (;;) {
      Response response;
      const Connection::Line line = connection_.Current();
      grpc::Status status;
      {
        grpc::ClientContext context;
        context.set_deadline(GprAfter(std::min(limits_.attempt_timeout, Left())));
        const std::stop_callback cancel(call_.stop, [&context] { context.TryCancel(); });
        status = ((*line.stub).*method)(&context, request, &response);
      }
      ++tries_;
      if (status.ok()) {
        connection_.SetReached();
        return response;
      }
      ClientError error = ErrorFromStatus(status);
      if (!WaitForNextTry(line, error)) return error;
    }
  }

  // Tries so far. With more than one, an earlier one may have been heard though its answer was not.
  int tries() const { return tries_; }

 private:
  absl::Duration Left() const;
  // Waits until the next try is due. False when there is none; `error` is then the call's.
  bool WaitForNextTry(const Connection::Line& line, ClientError& error);

  const UnaryLimits& limits_;
  Connection& connection_;
  const CallOptions& call_;
  const Deadline deadline_;
  const Deadline first_contact_;
  Backoff backoff_;
  int tries_ = 0;
};

}  // namespace lumaedit::client
