#include "server/job/source_service.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/job/store_call.h"
#include "server/job/validation.h"

namespace lumaedit {
namespace {

constexpr std::size_t kSha256Bytes = 32;
// An expiry that gains less than this is left: each change is a file that is synced.
constexpr absl::Duration kWorthKeeping = absl::Hours(1);

absl::Status Draining() {
  ErrorDetail detail;
  detail.reason = ErrorReason::kDraining;
  detail.retry_after = absl::Seconds(2);
  return MakeError(absl::StatusCode::kUnavailable, std::move(detail),
                   "this process is stopping; go on with the upload later");
}

absl::Status Conflict() {
  return MakeError(absl::StatusCode::kAlreadyExists, ErrorReason::kSourceConflict,
                   "the source_id was announced with another size_bytes, sha256 or media_type");
}

absl::Status OtherOffset(std::int64_t received_bytes) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kUploadOffset;
  detail.metadata = {{"received_bytes", absl::StrCat(received_bytes)}};
  return MakeError(absl::StatusCode::kFailedPrecondition, std::move(detail),
                   absl::StrCat("the upload goes on at offset ", received_bytes));
}

absl::Status Rejected(ErrorReason reason) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, "the source was rejected");
}

// Is this refusal about the bytes, so that asking again would give the same?
bool IsRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) && DetailOf(status).reason != ErrorReason::kUnspecified;
}

}  // namespace

std::vector<Violation> ValidateUpload(const UploadAnnouncement& announcement,
                                      std::int64_t largest_bytes) {
  std::vector<Violation> out;
  if (announcement.source_id.empty()) {
    out.push_back({"open.source_id", "is required: a UUID of your own"});
  } else if (!IsUuidButNil(announcement.source_id)) {
    out.push_back({"open.source_id", "must be a UUID of 36 characters, and not the nil one"});
  }
  if (announcement.media_type.empty()) {
    out.push_back({"open.media_type", "is required, such as video/mp4"});
  } else if (!IsVideoMediaType(announcement.media_type)) {
    out.push_back(
        {"open.media_type", "must be \"video/\" followed by a token, without parameters"});
  }
  if (announcement.size_bytes < 1) {
    out.push_back({"open.size_bytes", "must be at least 1"});
  } else if (announcement.size_bytes > largest_bytes) {
    out.push_back({"open.size_bytes", absl::StrCat("must be at most ", largest_bytes)});
  }
  if (announcement.sha256.size() != kSha256Bytes) {
    out.push_back({"open.sha256", absl::StrCat("must have ", kSha256Bytes, " bytes, and has ",
                                               announcement.sha256.size())});
  }
  if (announcement.offset < 0) {
    out.push_back({"open.offset", "must be at least 0"});
  } else if (announcement.offset > announcement.size_bytes) {
    out.push_back({"open.offset", "must be at most size_bytes"});
  }
  return out;
}

void SourceService::Open(UploadAnnouncement announcement, Reply<SourceInfo> reply) {
  RunOnStore(
      deps_.worker, std::move(reply),
      [this, announcement = std::move(announcement)]() mutable { return OpenNow(announcement); });
}

absl::StatusOr<SourceInfo> SourceService::OpenNow(const UploadAnnouncement& announcement) {
  if (draining_) return Draining();
  SourceInfo wanted;
  wanted.caller = announcement.caller;
  wanted.id = absl::AsciiStrToLower(announcement.source_id);
  wanted.media_type = announcement.media_type;
  wanted.size_bytes = announcement.size_bytes;
  wanted.sha256 = absl::BytesToHexString(announcement.sha256);
  wanted.expire_time = deps_.clock.Now() + settings_.kept;

  auto found = deps_.sources.Open(wanted);
  if (!found.ok()) return found.status();
  if (found->size_bytes != wanted.size_bytes || found->sha256 != wanted.sha256 ||
      found->media_type != wanted.media_type) {
    return Conflict();
  }
  if (found->state == SourceInfo::State::kRejected) return Rejected(found->rejection);
  // Whoever comes back to an upload wants it for as long as on the first day.
  if (wanted.expire_time - found->expire_time > kWorthKeeping) {
    const absl::Status kept = deps_.sources.KeepUntil(wanted.caller, wanted.id, wanted.expire_time);
    if (!kept.ok()) return kept;
    found->expire_time = wanted.expire_time;
  }
  if (found->IsUsable()) return found;
  if (announcement.offset != found->received_bytes) return OtherOffset(found->received_bytes);
  return found;
}

void SourceService::Append(std::string caller, std::string source_id, std::int64_t offset,
                           std::string piece, Reply<std::int64_t> reply) {
  RunOnStore(deps_.worker, std::move(reply),
             [this, caller = std::move(caller), source_id = std::move(source_id), offset,
              piece = std::move(piece)]() -> absl::StatusOr<std::int64_t> {
               const absl::Status added = deps_.sources.Append(caller, source_id, offset, piece);
               if (!added.ok()) return added;
               return offset + static_cast<std::int64_t>(piece.size());
             });
}

void SourceService::Finish(std::string caller, std::string source_id, Reply<SourceInfo> reply) {
  auto held = std::make_shared<Reply<SourceInfo>>(std::move(reply));
  const bool taken = deps_.worker.TryPost([this, caller = std::move(caller),
                                           source_id = std::move(source_id), held] {
    // Whole and right first: only then is it worth a look, and only then does it say anything.
    auto checked = deps_.sources.Finish(caller, source_id, absl::ZeroDuration());
    if (!checked.ok() || checked->IsUsable()) {
      std::move (*held)(std::move(checked));
      return;
    }
    auto bytes = deps_.sources.Read(caller, source_id);
    if (!bytes.ok()) {
      std::move (*held)(bytes.status());
      return;
    }
    deps_.measurer.Measure(
        *std::move(bytes),
        Reply<MediaInfo>([this, caller, source_id, held](const absl::StatusOr<MediaInfo>& media) {
          RunOnStore(deps_.worker, std::move(*held), [this, caller, source_id, media] {
            return Conclude(caller, source_id, media);
          });
        }));
  });
  if (!taken) std::move (*held)(Overloaded());
}

absl::StatusOr<SourceInfo> SourceService::Conclude(const std::string& caller,
                                                   const std::string& source_id,
                                                   const absl::StatusOr<MediaInfo>& media) {
  if (!media.ok()) {
    if (IsRefusal(media.status())) {
      auto rejected = deps_.sources.Reject(caller, source_id, DetailOf(media.status()).reason);
      if (!rejected.ok()) return rejected.status();
      deps_.log.Info("source_rejected",
                     {{"source_id", source_id},
                      {"reason", std::string(ErrorReasonName(rejected->rejection))}});
    }
    return media.status();
  }
  auto ready = deps_.sources.Finish(caller, source_id, media->duration);
  if (!ready.ok()) return ready.status();
  const absl::Time until = deps_.clock.Now() + settings_.kept;
  if (until - ready->expire_time > kWorthKeeping) {
    const absl::Status kept = deps_.sources.KeepUntil(caller, source_id, until);
    if (!kept.ok()) return kept;
    ready->expire_time = until;
  }
  deps_.log.Info("source_ready", {{"source_id", source_id},
                                  {"bytes", ready->size_bytes},
                                  {"codec", media->codec},
                                  {"container", media->container},
                                  {"milliseconds", absl::ToInt64Milliseconds(media->duration)}});
  return ready;
}

void SourceService::Get(std::string caller, std::string source_id, Reply<SourceInfo> reply) {
  RunOnStore(deps_.worker, std::move(reply),
             [this, caller = std::move(caller), source_id = std::move(source_id)] {
               return deps_.sources.Get(caller, absl::AsciiStrToLower(source_id));
             });
}

}  // namespace lumaedit
