#include "client/watch_stream.h"

#include "client/deadline.h"

namespace lumaedit::client {

WatchStream::WatchStream(v1::EditService::Stub& stub, const v1::WatchJobRequest& request,
                         const std::stop_token& stop) {
  reader_ = stub.PrepareAsyncWatchJob(&context_, request, &queue_);
  reader_->StartCall(this);
  on_stop_.emplace(stop, [this] { context_.TryCancel(); });
}

WatchStream::~WatchStream() {
  on_stop_.reset();
  Finish(absl::ZeroDuration());
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

WatchStream::Read WatchStream::Next(v1::WatchJobResponse& message, absl::Duration limit) {
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

grpc::Status WatchStream::Finish(absl::Duration limit) {
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

WatchStream::Step WatchStream::Await(absl::Duration limit) {
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

}  // namespace lumaedit::client
