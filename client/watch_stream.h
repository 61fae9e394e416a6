// One server stream, read by one thread with a time limit on every step.
//
// Owned by the loop that opened it, used by that loop's thread only; a stop request from any thread
// cancels it. A completion queue of its own gives each read its limit without a second thread.
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

template <typename Response>
class WatchStream {
 public:
  enum class Read { kMessage, kEnded, kSilent };

  // Makes the call without starting it, as a stub's PrepareAsync… does.
  using Prepare = std::function<std::unique_ptr<grpc::ClientAsyncReader<Response>>(
      v1::EditService::Stub& stub, grpc::ClientContext* context, grpc::CompletionQueue* queue)>;

  WatchStream(v1::EditService::Stub& stub, const Prepare& prepare, const std::stop_token& stop);

  // Ends the call if it has not ended, and waits for gRPC to let go of it.
  ~WatchStream();

  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;

  // The next message. kSilent when none came within `limit`: the call is then cancelled. After
  // anything but kMessage only Finish may follow.
  Read Next(Response& message, absl::Duration limit);

  // How the call ended. Waits for the gateway's word up to `limit`, then cancels.
  grpc::Status Finish(absl::Duration limit);

 private:
  enum class Step { kOk, kFailed, kTimedOut };
  // Waits for the one operation under way; cancels the call when `limit` is over.
  Step Await(absl::Duration limit);

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<Response>> reader_;
  bool started_ = false;
  bool finished_ = false;
  grpc::Status status_;
  // Last: it is destroyed first, and then no cancel can reach the context any more.
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

extern template class WatchStream<v1::WatchJobResponse>;
extern template class WatchStream<v1::WatchJobsResponse>;

}  // namespace lumaedit::client
