#include "client/upload.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/deadline.h"
#include "client/upload_stream.h"

namespace lumaedit::client {
namespace {

// The gateway's limit of a chunk is 1 MiB; less makes the progress smoother and costs nothing.
constexpr std::int64_t kChunk = 256 * 1024;

ClientError Cancelled() {
  return LocalError(absl::StatusCode::kCancelled, "the upload was cancelled by its caller");
}

// Does the gateway say that the upload goes on, at another offset?
bool IsElsewhere(const ClientError& error) {
  return (error.reason == v1::ERROR_REASON_UPLOAD_OFFSET ||
          error.reason == v1::ERROR_REASON_TRUNCATED) &&
         error.metadata.count("received_bytes") > 0;
}

bool MayGoOn(const ClientError& error) {
  switch (error.code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
      return !error.from_gateway;
    case absl::StatusCode::kResourceExhausted:
      return error.reason == v1::ERROR_REASON_OVERLOADED;
    default:
      return IsElsewhere(error);
  }
}

class Upload {
 public:
  Upload(std::shared_ptr<Connection> connection, absl::Duration connect_timeout, SourceFile& file,
         const UploadOptions& options,
         const std::function<Result<v1::Source>(const std::string&)>& ask)
      : connection_(std::move(connection)),
        connect_timeout_(connect_timeout),
        file_(file),
        options_(options),
        ask_(ask),
        backoff_(options.backoff),
        outage_(Deadline::After(OutageLimit())) {}

  Result<v1::Source> Run();

 private:
  // The offset to go on at.
  Result<std::int64_t> Ask();
  // One stream, from `offset` to the answer.
  Result<v1::Source> Send(std::int64_t offset);
  // Waits until `sent` bytes are no more than the rate allows in the time since they began.
  void HoldBack(std::int64_t sent, absl::Duration since) const;
  void Report(UploadProgress::Phase phase, std::int64_t bytes);
  // The upload is at `bytes`; only where it never was before does it go forward.
  void WentForward(std::int64_t bytes);
  absl::Duration OutageLimit() const {
    return connection_->reached() ? options_.max_outage
                                  : std::min(options_.max_outage, connect_timeout_);
  }

  const std::shared_ptr<Connection> connection_;
  const absl::Duration connect_timeout_;
  SourceFile& file_;
  const UploadOptions& options_;
  const std::function<Result<v1::Source>(const std::string&)>& ask_;
  Backoff backoff_;
  Deadline outage_;
  std::optional<std::int64_t> begun_at_;
  std::int64_t farthest_ = -1;
  bool began_anew_ = false;
};

Result<v1::Source> Upload::Run() {
  for (;;) {
    if (options_.stop.stop_requested()) return Cancelled();
    std::optional<ClientError> error;
    if (const Result<std::int64_t> offset = Ask(); !offset.ok()) {
      error = offset.error();
    } else {
      Result<v1::Source> source = Send(*offset);
      if (source.ok()) return source;
      error = source.error();
    }
    if (options_.stop.stop_requested()) return Cancelled();
    if (error->reason == v1::ERROR_REASON_CHECKSUM_MISMATCH && !began_anew_) {
      began_anew_ = true;
    } else if (!MayGoOn(*error)) {
      return *std::move(error);
    }
    const absl::Duration wait = backoff_.Next(error->retry_after);
    if (outage_.Left() <= wait) return *std::move(error);
    if (options_.on_interrupted) options_.on_interrupted(*error, wait);
    connection_->Pause(wait, options_.stop);
  }
}

Result<std::int64_t> Upload::Ask() {
  Result<v1::Source> source = ask_(options_.source_id);
  if (!source.ok()) {
    if (source.error().code != absl::StatusCode::kNotFound) return source.error();
    connection_->SetReached();
    return std::int64_t{0};
  }
  switch (source->state()) {
    case v1::Source::STATE_READY:
      // Opened all the same: that puts its expiry off.
      return file_.size_bytes();
    case v1::Source::STATE_REJECTED:
      // The gateway says why, or begins anew.
      return std::int64_t{0};
    default:
      break;
  }
  WentForward(source->received_bytes());
  return std::min(source->received_bytes(), file_.size_bytes());
}

Result<v1::Source> Upload::Send(std::int64_t offset) {
  if (!begun_at_.has_value()) begun_at_ = offset;
  const Connection::Line line = connection_->Current();
  UploadStream stream(*line.stub, options_.stop);
  v1::UploadSourceRequest message;
  v1::UploadSourceRequest::Open& open = *message.mutable_open();
  open.set_source_id(options_.source_id);
  open.set_media_type(options_.media_type);
  open.set_size_bytes(file_.size_bytes());
  open.set_sha256(file_.sha256());
  open.set_offset(offset);
  Report(UploadProgress::Phase::kSending, offset);
  const std::int64_t first = offset;
  const Deadline began = Deadline::After(absl::ZeroDuration());
  UploadStream::Step step = stream.Write(message, options_.silence_limit);
  while (step == UploadStream::Step::kOk && offset < file_.size_bytes()) {
    Result<std::string> piece = file_.Read(offset, kChunk);
    if (!piece.ok()) return piece.error();
    offset += static_cast<std::int64_t>(piece->size());
    message.set_chunk(std::move(*piece));
    step = stream.Write(message, options_.silence_limit);
    if (step == UploadStream::Step::kOk) Report(UploadProgress::Phase::kSending, offset);
    HoldBack(offset - first, -began.Left());
  }
  if (step == UploadStream::Step::kOk) step = stream.WritesDone(options_.silence_limit);
  if (step == UploadStream::Step::kSilent) {
    connection_->Replace(line.number);
    return LocalError(absl::StatusCode::kUnavailable,
                      absl::StrCat("the gateway took nothing for ",
                                   absl::FormatDuration(options_.silence_limit)));
  }
  if (step == UploadStream::Step::kOk) Report(UploadProgress::Phase::kChecking, offset);
  const grpc::Status status = stream.Finish(options_.check_limit);
  if (stream.was_silent()) {
    connection_->Replace(line.number);
    return LocalError(absl::StatusCode::kUnavailable,
                      absl::StrCat("the gateway gave no answer for ",
                                   absl::FormatDuration(options_.check_limit)));
  }
  if (status.ok()) {
    connection_->SetReached();
    return stream.source();
  }
  ClientError error = ErrorFromStatus(status);
  if (error.from_gateway) connection_->SetReached();
  return error;
}

void Upload::HoldBack(std::int64_t sent, absl::Duration since) const {
  if (options_.bytes_per_second <= 0) return;
  const absl::Duration due =
      absl::Seconds(static_cast<double>(sent) / static_cast<double>(options_.bytes_per_second));
  if (due > since) WaitFor(due - since, options_.stop);
}

void Upload::Report(UploadProgress::Phase phase, std::int64_t bytes) {
  WentForward(bytes);
  if (!options_.on_progress) return;
  options_.on_progress({phase, bytes, file_.size_bytes(), begun_at_.value_or(0)});
}

void Upload::WentForward(std::int64_t bytes) {
  if (bytes <= farthest_) return;
  farthest_ = bytes;
  backoff_.Reset();
  outage_ = Deadline::After(options_.max_outage);
}

}  // namespace

Result<v1::Source> RunUpload(const std::shared_ptr<Connection>& connection,
                             absl::Duration connect_timeout, SourceFile& file,
                             const UploadOptions& options,
                             const std::function<Result<v1::Source>(const std::string& id)>& ask) {
  return Upload(connection, connect_timeout, file, options, ask).Run();
}

}  // namespace lumaedit::client
