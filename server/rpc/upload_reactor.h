// One UploadSource: takes a message, hands it to the store, and reads the next one only when the
// store has it. So a stream holds one message at a time, whatever its client does, and what was
// acknowledged by flow control alone is never the offset to go on at: GetSource is.
//
// Keeps itself alive from Start to OnDone. Its methods run on gRPC's threads, an upload or a probe
// thread and the ticker, in any order. At most one read and one call of the SourceService are out;
// Finish is owed exactly once, is called with no lock held, and never between the decision to read
// and the return of StartRead, which would touch a call that is gone.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lumaedit/v1/source.pb.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/job/source_service.h"
#include "server/rpc/stream_registry.h"

namespace lumaedit {

class UploadReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer>,
                            public WatchedStream,
                            public std::enable_shared_from_this<UploadReactor> {
 public:
  struct Deps {
    SourceService& sources;
    StreamRegistry& registry;
    Clock& clock;
    Log& log;
  };
  // `silence`: a stream that says nothing for so long is ended. `response` is gRPC's, good until
  // Finish.
  UploadReactor(Deps deps, std::string caller, absl::Duration silence, grpc::ByteBuffer* response);

  // Called once, by the handler, before it returns this reactor.
  void Start();

  void Tick(absl::Duration now) override;
  void End(const absl::Status& status) override;

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  enum class Step { kStarting, kReading, kWorking, kConcluding, kFinished };

  void ReadNext();
  // Each hands over one message, or fails the call.
  void TakeMessage();
  void TakeOpen(const v1::UploadSourceRequest::Open& open);
  void TakeChunk(std::string chunk);
  void TakeEnd();

  void OnOpened(absl::StatusOr<SourceInfo> source);
  void OnAppended(absl::StatusOr<std::int64_t> next_offset);
  void Answer(absl::StatusOr<SourceInfo> source);
  void Fail(const absl::Status& status);
  // True for the one who is to call Finish.
  bool TakeFinish();

  const Deps deps_;
  const std::string caller_;
  const absl::Duration silence_;
  grpc::ByteBuffer* const response_;
  std::shared_ptr<UploadReactor> self_;  // set by Start, dropped by OnDone; no other thread touches

  // Belong to whoever has the turn: the reaction to a read, or the reply of the service.
  grpc::ByteBuffer message_;
  std::string source_id_;  // empty: not opened yet
  std::int64_t offset_ = 0;

  Mutex mutex_;
  Step step_ ABSL_GUARDED_BY(mutex_) = Step::kStarting;
  std::int64_t reads_ ABSL_GUARDED_BY(mutex_) = 0;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration heard_ ABSL_GUARDED_BY(mutex_);  // uptime of the last message's end
  // What to end with as soon as the turn is over.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

// An upload that is refused before it begins.
class RefusedUpload final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedUpload(const absl::Status& status);
  void OnReadDone(bool /*ok*/) override {}
  void OnDone() override { delete this; }
};

}  // namespace lumaedit
