// One UploadSource stream, written by one thread with a time limit on every step.
//
// Owned by the upload that opened it, used by that upload's thread only; a stop request from any
// thread cancels it. Works as WatchStream does.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "absl/time/time.h"
#include "lumaedit/v1/edit_service.grpc.pb.h"

namespace lumaedit::client {

class UploadStream {
 public:
  enum class Step { kOk, kEnded, kSilent };

  UploadStream(v1::EditService::Stub& stub, const std::stop_token& stop);

  // Ends the call if it has not ended, and waits for gRPC to let go of it.
  ~UploadStream();

  UploadStream(const UploadStream&) = delete;
  UploadStream& operator=(const UploadStream&) = delete;

  // Hands one message over. kSilent when the gateway took nothing for `limit`: the call is then
  // cancelled. After anything but kOk only Finish may follow.
  Step Write(const v1::UploadSourceRequest& message, absl::Duration limit);

  // Ends our side.
  Step WritesDone(absl::Duration limit);

  // How the call ended. Waits for the gateway's word up to `limit`, then cancels.
  grpc::Status Finish(absl::Duration limit);

  // Finish waited in vain.
  bool was_silent() const { return silent_; }

  // The gateway's answer, after Finish with OK.
  const v1::Source& source() const { return source_; }

 private:
  Step Start(absl::Duration limit);
  // Waits for the one operation under way; cancels the call when `limit` is over.
  Step Await(absl::Duration limit);

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  v1::Source source_;
  std::unique_ptr<grpc::ClientAsyncWriter<v1::UploadSourceRequest>> writer_;
  bool started_ = false;
  bool finished_ = false;
  bool silent_ = false;
  grpc::Status status_;
  // Last: it is destroyed first, and then no cancel can reach the context any more.
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lumaedit::client
