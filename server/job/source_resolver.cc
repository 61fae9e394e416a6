#include "server/job/source_resolver.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/job/quote.h"

namespace lumaedit {
namespace {

SourceLength DeclaredLength(const std::optional<absl::Duration>& declared) {
  if (!declared) return {};
  return {CountedLength(*declared), DurationBasis::kDeclared};
}

// Of the outcome of a job whose source had `origin`: an edit keeps the length. What the caller says
// now goes before what it said then.
SourceLength LengthOfOutcome(const SourceLength& origin,
                             const std::optional<absl::Duration>& declared) {
  const bool measured =
      origin.basis == DurationBasis::kProbed || origin.basis == DurationBasis::kLineage;
  if (measured && origin.duration) return {origin.duration, DurationBasis::kLineage};
  return declared ? DeclaredLength(declared) : origin;
}

absl::Status UploadNotFinished() {
  return MakeError(absl::StatusCode::kFailedPrecondition, ErrorReason::kSourceNotReady,
                   "the upload of edit.source_id is not finished");
}

absl::Status JobNotReady(std::string_view why, std::string_view state) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kSourceNotReady;
  if (!state.empty()) detail.metadata["job_state"] = std::string(state);
  return MakeError(absl::StatusCode::kFailedPrecondition, std::move(detail),
                   absl::StrCat("edit.source_job_id ", std::string(why)));
}

struct Resolver {
  JobStore& jobs;
  SourceStore& sources;
  const std::string& caller;
  const std::optional<absl::Duration>& declared;

  absl::StatusOr<ResolvedSource> operator()(std::monostate) const {
    return ResolvedSource{.source = std::monostate(), .length = DeclaredLength(declared)};
  }

  absl::StatusOr<ResolvedSource> operator()(const GenerationSource& source) const {
    auto origin = jobs.OriginOfGeneration(source.generation_id);
    if (!origin.ok()) return origin.status();
    if (!*origin) return ResolvedSource{.source = source, .length = DeclaredLength(declared)};
    // The upstream sees one key for all callers, so it would take anybody's video as a source.
    if ((*origin)->caller != caller) {
      return InvalidFields({{"edit.generation_id", "cannot be used as a source"}});
    }
    return ResolvedSource{.source = source,
                          .length = LengthOfOutcome((*origin)->source_length, declared)};
  }

  absl::StatusOr<ResolvedSource> operator()(const JobSource& source) const {
    auto job = jobs.Get(caller, source.job_id);
    if (absl::IsNotFound(job.status())) return JobNotReady("names no job of yours", "");
    if (!job.ok()) return job.status();
    if (job->state != JobState::kSucceeded) {
      return JobNotReady("names a job that has not SUCCEEDED", JobStateName(job->state));
    }
    if (!job->outcome || job->outcome->generation_id.empty()) {
      return JobNotReady("names a job whose outcome has no generation id",
                         JobStateName(job->state));
    }
    return ResolvedSource{.source = JobSource{source.job_id, job->outcome->generation_id},
                          .length = LengthOfOutcome(job->source_length, declared)};
  }

  absl::StatusOr<ResolvedSource> operator()(StoredSource source) const {
    auto info = sources.Get(caller, source.source_id);
    if (!info.ok()) return info.status();
    switch (info->state) {
      case SourceInfo::State::kUploading:
        return UploadNotFinished();
      case SourceInfo::State::kRejected:
        return MakeError(absl::StatusCode::kInvalidArgument, info->rejection,
                         "edit.source_id names a source that was rejected");
      case SourceInfo::State::kReady:
        if (!info->IsUsable()) return UploadNotFinished();
        break;
    }
    source.media_type = info->media_type;
    source.sha256 = info->sha256;
    source.size_bytes = info->size_bytes;
    return ResolvedSource{.source = std::move(source),
                          .length = MeasuredLength(info->duration),
                          .expire_time = info->expire_time};
  }
};

}  // namespace

SourceLength MeasuredLength(absl::Duration duration) {
  return {CountedLength(duration), DurationBasis::kProbed};
}

absl::StatusOr<ResolvedSource> ResolveSource(JobStore& jobs, SourceStore& sources,
                                             const std::string& caller, const Source& source,
                                             const std::optional<absl::Duration>& declared) {
  return std::visit(Resolver{jobs, sources, caller, declared}, source);
}

}  // namespace lumaedit
