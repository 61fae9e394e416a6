#include "client/upload_stream.h"

#include "client/deadline.h"

namespace lumaedit::client {

UploadStream::UploadStream(v1::EditService::Stub& stub, const std::stop_token& stop) {
  writer_ = stub.PrepareAsyncUploadSource(&context_, &source_, &queue_);
  writer_->StartCall(this);
  on_stop_.emplace(stop, [this] { context_.TryCancel(); });
}

UploadStream::~UploadStream() {
  on_stop_.reset();
  if (!finished_) context_.TryCancel();
  Finish(absl::ZeroDuration());
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

UploadStream::Step UploadStream::Start(absl::Duration limit) {
  if (started_) return Step::kOk;
  started_ = true;
  return Await(limit);
}

UploadStream::Step UploadStream::Write(const v1::UploadSourceRequest& message,
                                       absl::Duration limit) {
  if (const Step step = Start(limit); step != Step::kOk) return step;
  writer_->Write(message, this);
  return Await(limit);
}

UploadStream::Step UploadStream::WritesDone(absl::Duration limit) {
  if (const Step step = Start(limit); step != Step::kOk) return step;
  writer_->WritesDone(this);
  return Await(limit);
}

grpc::Status UploadStream::Finish(absl::Duration limit) {
  if (finished_) return status_;
  finished_ = true;
  Start(limit);
  writer_->Finish(&status_, this);
  silent_ = Await(limit) == Step::kSilent && !status_.ok();
  return status_;
}

UploadStream::Step UploadStream::Await(absl::Duration limit) {
  void* tag = nullptr;
  bool ok = false;
  switch (queue_.AsyncNext(&tag, &ok, GprAfter(limit))) {
    case grpc::CompletionQueue::GOT_EVENT:
      return ok ? Step::kOk : Step::kEnded;
    case grpc::CompletionQueue::TIMEOUT:
      // The operation still reads our memory: it must come back before this returns, and after a
      // cancel it does at once.
      context_.TryCancel();
      queue_.Next(&tag, &ok);
      return Step::kSilent;
    case grpc::CompletionQueue::SHUTDOWN:
      break;
  }
  return Step::kEnded;
}

}  // namespace lumaedit::client
