#include "server/rpc/upload_reactor.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/job/error.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/status_mapper.h"
#include "server/rpc/to_proto.h"

namespace lumaedit {
namespace {

constexpr std::size_t kMostChunkBytes = 1 << 20;
// Of a message around a chunk: its tags and lengths.
constexpr std::size_t kMessageMargin = 64;

absl::Status WrongField(std::string field, std::string description) {
  return InvalidFields({{std::move(field), std::move(description)}});
}

absl::Status ChunkTooLarge() {
  return WrongField("chunk", absl::StrCat("must have at most ", kMostChunkBytes, " bytes"));
}

}  // namespace

UploadReactor::UploadReactor(Deps deps, std::string caller, absl::Duration silence,
                             grpc::ByteBuffer* response)
    : deps_(deps),
      caller_(std::move(caller)),
      silence_(silence),
      response_(response),
      heard_(deps_.clock.Uptime()) {}

void UploadReactor::Start() {
  self_ = shared_from_this();
  ReadNext();
}

void UploadReactor::ReadNext() {
  // The read may be over, and the call with it, before StartRead has returned.
  const std::shared_ptr<UploadReactor> self = shared_from_this();
  std::optional<absl::Status> end;
  std::int64_t read = 0;
  {
    MutexLock lock(mutex_);
    if (step_ == Step::kFinished) return;
    end = end_;
    if (!end) step_ = Step::kStarting;
    read = ++reads_;
  }
  if (!end) {
    StartRead(&message_);
    MutexLock lock(mutex_);
    // By now another thread may even be about to start the next one.
    if (step_ != Step::kStarting || reads_ != read) return;
    step_ = Step::kReading;
    end = end_;
  }
  if (end) Fail(*end);
}

void UploadReactor::OnReadDone(bool ok) {
  bool cancelled = false;
  std::optional<absl::Status> end;
  {
    MutexLock lock(mutex_);
    if (step_ == Step::kFinished) return;
    step_ = Step::kWorking;
    heard_ = deps_.clock.Uptime();
    cancelled = cancelled_;
    end = end_;
  }
  if (cancelled) {
    if (TakeFinish()) Finish(grpc::Status::CANCELLED);
  } else if (end) {
    Fail(*end);
  } else if (ok) {
    TakeMessage();
  } else {
    TakeEnd();
  }
}

void UploadReactor::TakeMessage() {
  if (message_.Length() > kMostChunkBytes + kMessageMargin) {
    Fail(ChunkTooLarge());
    return;
  }
  v1::UploadSourceRequest message;
  const bool parsed = ParseMessage(message_, message);
  message_.Clear();
  if (!parsed) {
    Fail(MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kMalformedMessage,
                   "the request is not such a message, or a string in it is not UTF-8"));
    return;
  }
  switch (message.message_case()) {
    case v1::UploadSourceRequest::kOpen:
      TakeOpen(message.open());
      break;
    case v1::UploadSourceRequest::kChunk:
      TakeChunk(std::move(*message.mutable_chunk()));
      break;
    case v1::UploadSourceRequest::MESSAGE_NOT_SET:
      Fail(WrongField("message", "must be set"));
      break;
  }
}

void UploadReactor::TakeOpen(const v1::UploadSourceRequest::Open& open) {
  if (!source_id_.empty()) {
    Fail(WrongField("open", "may only be the first message"));
    return;
  }
  UploadAnnouncement announcement{caller_,           open.source_id(), open.media_type(),
                                  open.size_bytes(), open.sha256(),    open.offset()};
  std::vector<Violation> violations =
      ValidateUpload(announcement, deps_.sources.settings().largest_bytes);
  if (!violations.empty()) {
    Fail(InvalidFields(std::move(violations)));
    return;
  }
  source_id_ = absl::AsciiStrToLower(open.source_id());
  offset_ = open.offset();
  deps_.sources.Open(std::move(announcement),
                     Reply<SourceInfo>([self = shared_from_this()](auto source) {
                       self->OnOpened(std::move(source));
                     }));
}

void UploadReactor::OnOpened(absl::StatusOr<SourceInfo> source) {
  // One that is there already needs no bytes.
  if (!source.ok() || source->IsUsable()) {
    Answer(std::move(source));
  } else {
    ReadNext();
  }
}

void UploadReactor::TakeChunk(std::string chunk) {
  if (source_id_.empty()) {
    Fail(WrongField("open", "must be the first message"));
  } else if (chunk.empty()) {
    Fail(WrongField("chunk", "must have at least 1 byte"));
  } else if (chunk.size() > kMostChunkBytes) {
    Fail(ChunkTooLarge());
  } else {
    deps_.sources.Append(caller_, source_id_, offset_, std::move(chunk),
                         Reply<std::int64_t>([self = shared_from_this()](auto next_offset) {
                           self->OnAppended(next_offset);
                         }));
  }
}

void UploadReactor::OnAppended(absl::StatusOr<std::int64_t> next_offset) {
  if (!next_offset.ok()) {
    Fail(next_offset.status());
    return;
  }
  offset_ = *next_offset;
  ReadNext();
}

void UploadReactor::TakeEnd() {
  if (source_id_.empty()) {
    Fail(WrongField("open", "must be the first message"));
    return;
  }
  {
    MutexLock lock(mutex_);
    if (step_ == Step::kFinished) return;
    step_ = Step::kConcluding;
  }
  deps_.sources.Finish(caller_, source_id_,
                       Reply<SourceInfo>([self = shared_from_this()](auto source) {
                         self->Answer(std::move(source));
                       }));
}

void UploadReactor::Answer(absl::StatusOr<SourceInfo> source) {
  if (!source.ok()) {
    Fail(source.status());
  } else if (TakeFinish()) {
    *response_ = SerializeMessage(SourceToProto(*source));
    Finish(grpc::Status::OK);
  }
}

void UploadReactor::Fail(const absl::Status& status) {
  if (IsHiddenFault(status)) {
    deps_.log.Error("call_failed", {{"method", "UploadSource"},
                                    {"source_id", source_id_},
                                    {"error", std::string(status.message())}});
  }
  if (TakeFinish()) Finish(ToGrpcStatus(status));
}

bool UploadReactor::TakeFinish() {
  MutexLock lock(mutex_);
  return std::exchange(step_, Step::kFinished) != Step::kFinished;
}

void UploadReactor::End(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    switch (step_) {
      case Step::kReading:
        break;
      case Step::kStarting:
      case Step::kWorking:
        end_ = status;
        return;
      // All bytes are in: the answer is seconds away.
      case Step::kConcluding:
      case Step::kFinished:
        return;
    }
    step_ = Step::kFinished;
  }
  Finish(ToGrpcStatus(status));
}

void UploadReactor::Tick(absl::Duration now) {
  {
    MutexLock lock(mutex_);
    if (step_ != Step::kReading || now - heard_ < silence_) return;
  }
  End(deps_.registry.ComeBack(ErrorReason::kStreamRotated,
                              "the upload has said nothing for too long; it can go on"));
}

void UploadReactor::OnCancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
}

void UploadReactor::OnDone() {
  // Removed last: the registry's owner may go once it has no stream.
  std::shared_ptr<UploadReactor> self = std::move(self_);
  deps_.registry.Remove(this);
}

RefusedUpload::RefusedUpload(const absl::Status& status) { Finish(ToGrpcStatus(status)); }

}  // namespace lumaedit
