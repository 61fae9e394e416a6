#include "client/cli/edit_request.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/request_id.h"
#include "client/source_file.h"

namespace lumaedit::client::cli {
namespace {

ClientError Refused(std::string why) {
  return LocalError(absl::StatusCode::kInvalidArgument, std::move(why));
}

// Reads at most one byte more than a message holds: a caller who names a disk image is told so
// without it being read.
Result<std::string> ReadBounded(std::istream& stream, const std::string& name) {
  std::string bytes(kMessageLimit + 1, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (stream.bad() || (stream.gcount() == 0 && !stream.eof())) {
    return Refused(absl::StrCat("cannot read ", name));
  }
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  return bytes;
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Refused(absl::StrCat("cannot open ", path));
  return ReadBounded(file, path);
}

void SetDuration(absl::Duration from, google::protobuf::Duration* to) {
  to->set_seconds(absl::IDivDuration(from, absl::Seconds(1), &from));
  to->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(from)));
}

void SetManual(const SubmitArguments& from, v1::Edit& edit) {
  const bool any = from.strength != v1::ManualConditioning::STRENGTH_UNSPECIFIED ||
                   from.pose != v1::ManualConditioning::POSE_UNSPECIFIED ||
                   from.depth_blur.has_value() || from.normals_augmentation.has_value() ||
                   from.trajectory_sparsity.has_value() || from.face;
  // `manual` that is present turns the automatic conditioning off, even with nothing in it.
  if (!any) return;
  v1::ManualConditioning& manual = *edit.mutable_manual();
  manual.set_strength(from.strength);
  manual.set_pose(from.pose);
  if (from.depth_blur.has_value()) manual.set_depth_blur(*from.depth_blur);
  if (from.normals_augmentation.has_value()) {
    manual.set_normals_augmentation(*from.normals_augmentation);
  }
  if (from.trajectory_sparsity.has_value()) {
    manual.set_trajectory_sparsity(*from.trajectory_sparsity);
  }
  manual.set_face(from.face);
}

}  // namespace

Result<v1::SubmitEditRequest> MakeSubmitRequest(const Arguments& arguments) {
  const SubmitArguments& from = arguments.submit;
  v1::SubmitEditRequest request;
  request.set_request_id(from.request_id.empty() ? NewRequestId() : from.request_id);
  request.mutable_labels()->insert(arguments.labels.begin(), arguments.labels.end());
  if (from.max_price_usd_micros.has_value()) {
    request.set_max_price_usd_micros(*from.max_price_usd_micros);
  }
  if (from.source_duration.has_value()) {
    SetDuration(*from.source_duration, request.mutable_declared_source_duration());
  }
  if (from.start_within.has_value()) {
    SetDuration(*from.start_within, request.mutable_start_within());
  }

  v1::Edit& edit = *request.mutable_edit();
  edit.set_prompt(from.prompt);
  if (!from.prompt_file.empty()) {
    Result<std::string> prompt = from.prompt_file == "-" ? ReadBounded(std::cin, "standard input")
                                                         : ReadFile(from.prompt_file);
    if (!prompt.ok()) return prompt.error();
    // An editor's last line end is not part of the prompt.
    edit.set_prompt(std::string(absl::StripTrailingAsciiWhitespace(*prompt)));
  }
  edit.set_output_format(from.format);
  edit.set_start_frame_url(from.start_frame_url);
  SetManual(from, edit);

  if (!from.generation_id.empty()) edit.set_generation_id(from.generation_id);
  if (!from.source_job_id.empty()) edit.set_source_job_id(from.source_job_id);
  if (!from.source_id.empty()) edit.set_source_id(from.source_id);
  if (!from.source_file.empty()) {
    Result<std::string> bytes = ReadFile(from.source_file);
    if (!bytes.ok()) return bytes.error();
    v1::InlineSource& source = *edit.mutable_inline_();
    source.set_data(std::move(*bytes));
    source.set_media_type(from.media_type.empty() ? MediaTypeOf(from.source_file)
                                                  : from.media_type);
    if (source.media_type().empty()) {
      return Refused(absl::StrCat("the media type of ", from.source_file,
                                  " cannot be guessed: give --media-type, such as video/mp4"));
    }
    if (static_cast<std::int64_t>(request.ByteSizeLong()) > kMessageLimit) edit.clear_inline_();
  }
  return request;
}

bool NeedsUpload(const Arguments& arguments, const v1::SubmitEditRequest& request) {
  return !arguments.submit.source_file.empty() &&
         request.edit().source_case() == v1::Edit::SOURCE_NOT_SET;
}

}  // namespace lumaedit::client::cli
