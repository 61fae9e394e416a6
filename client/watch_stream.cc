#include "client/watch_stream.h"

#include "client/deadline.h"

namespace lumaedit::client {

template <typename Response>
WatchStream<Response>::WatchStream(v1::EditService::Stub& stub, const Prepare& prepare,
                                   const std::stop_token& stop) {
  reader_ = prepare(stub, &context_, &queue_);
  reader_->StartCall(this);
  on_stop_.emplace(stop, [this] { context_.TryCancel(); });
}

template <typename Response>
WatchStream<Response>::~WatchStream() {
  on_stop_.reset();
  Finish(absl::ZeroDuration());
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

template <typename Response>
typename WatchStream<Response>::Read WatchStream<Response>::Next(Response& message,
                                                                 absl::Duration limit) {
  const Deadline deadline = Deadline::After(limit);
  if (!started_) {
    started_ = true;
    const Step step = Await(limit);
    if (step != Step::kOk) return step == Step::kTimedOut ? Read::kSilent : Read::kEnded;
  }
  reader_->Read(&message, this);
  switch (Await(deadline.Left())) {
    case Step::kOk:
      return Read::kMessage;
    case Step::kTimedOut:
      return Read::kSilent;
    case Step::kFailed:
      break;
  }
  return Read::kEnded;
}

template <typename Response>
grpc::Status WatchStream<Response>::Finish(absl::Duration limit) {
  if (finished_) return status_;
  finished_ = true;
  if (!started_) {
    started_ = true;
    Await(limit);
  }
  reader_->Finish(&status_, this);
  Await(limit);
  return status_;
}

template <typename Response>
typename WatchStream<Response>::Step WatchStream<Response>::Await(absl::Duration limit) {
  void* tag = nullptr;
  bool ok = false;
  switch (queue_.AsyncNext(&tag, &ok, GprAfter(limit))) {
    case grpc::CompletionQueue::GOT_EVENT:
      return ok ? Step::kOk : Step::kFailed;
    case grpc::CompletionQueue::TIMEOUT:
      // The operation still writes to our memory: it must come back before this returns, and after
      // a cancel it does at once.
      context_.TryCancel();
      queue_.Next(&tag, &ok);
      return Step::kTimedOut;
    case grpc::CompletionQueue::SHUTDOWN:
      break;
  }
  return Step::kFailed;
}

template class WatchStream<v1::WatchJobResponse>;
template class WatchStream<v1::WatchJobsResponse>;

}  // namespace lumaedit::client
