#include "server/job/payload.h"

#include <bit>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "server/base/hash.h"

namespace lumaedit {
namespace {

struct FormatParameters {
  const char* resolution;
  bool hdr;
  bool exr;
};

FormatParameters ParametersOf(OutputFormat format) {
  switch (format) {
    case OutputFormat::kUnspecified:
    case OutputFormat::kSdr720p:
      return {"", false, false};
    case OutputFormat::kSdr540p:
      return {"540p", false, false};
    case OutputFormat::kSdr1080p:
      return {"1080p", false, false};
    case OutputFormat::kHdr720p:
      return {"", true, false};
    case OutputFormat::kHdr1080p:
      return {"1080p", true, false};
    case OutputFormat::kHdrExr720p:
      return {"", true, true};
    case OutputFormat::kHdrExr1080p:
      return {"1080p", true, true};
  }
  return {"", false, false};
}

const char* StrengthWord(Strength strength) {
  static constexpr const char* kWords[] = {
      "",       "adhere_1", "adhere_2",    "adhere_3",    "flex_1",
      "flex_2", "flex_3",   "reimagine_1", "reimagine_2", "reimagine_3"};
  return kWords[static_cast<int>(strength)];
}

const char* PoseWord(Pose pose) {
  static constexpr const char* kWords[] = {"", "precise", "coarse"};
  return kWords[static_cast<int>(pose)];
}

// Length before bytes: no two different payloads share a canonical form.
void AddText(std::string& out, const char* name, const std::string& value) {
  absl::StrAppend(&out, name, ":", value.size(), ":", value, "\n");
}

void AddFlag(std::string& out, const char* name, bool value) {
  absl::StrAppend(&out, name, ":", value ? "true" : "false", "\n");
}

void AddNumber(std::string& out, const char* name, const std::optional<double>& value) {
  // -0.0 equals 0.0 by value.
  const std::string bits =
      value ? absl::StrCat(absl::Hex(std::bit_cast<std::uint64_t>(*value == 0 ? 0.0 : *value)))
            : "unset";
  absl::StrAppend(&out, name, ":", bits, "\n");
}

}  // namespace

UpstreamPayload PayloadFor(const Edit& edit) {
  UpstreamPayload payload;
  payload.prompt = edit.prompt;
  if (const auto* generation = std::get_if<GenerationSource>(&edit.source)) {
    payload.source_generation_id = generation->generation_id;
  } else if (const auto* job = std::get_if<JobSource>(&edit.source)) {
    payload.source_generation_id = job->generation_id;
  } else if (const auto* stored = std::get_if<StoredSource>(&edit.source)) {
    payload.source_data_sha256 = stored->sha256;
    payload.source_media_type = stored->media_type;
  }
  const FormatParameters format = ParametersOf(edit.output_format);
  payload.resolution = format.resolution;
  payload.hdr = format.hdr;
  payload.exr_export = format.exr;
  if (!edit.manual) {
    payload.edit_auto_controls = true;
  } else {
    payload.edit_strength = StrengthWord(edit.manual->strength);
    payload.pose_strength = PoseWord(edit.manual->pose);
    payload.depth_blur = edit.manual->depth_blur;
    payload.normals_augmentation = edit.manual->normals_augmentation;
    payload.trajectory_sparsity = edit.manual->trajectory_sparsity;
    payload.face_enabled = edit.manual->face;
  }
  payload.start_frame_url = edit.start_frame_url;
  return payload;
}

std::string PayloadFingerprint(const UpstreamPayload& payload) {
  std::string form;
  AddText(form, "prompt", payload.prompt);
  AddText(form, "source_generation_id", payload.source_generation_id);
  AddText(form, "source_data_sha256", payload.source_data_sha256);
  AddText(form, "source_media_type", payload.source_media_type);
  AddText(form, "resolution", payload.resolution);
  AddNumber(form, "edit_auto_controls",
            payload.edit_auto_controls ? std::optional<double>(*payload.edit_auto_controls ? 1 : 0)
                                       : std::nullopt);
  AddText(form, "edit_strength", payload.edit_strength);
  AddText(form, "pose_strength", payload.pose_strength);
  AddNumber(form, "depth_blur", payload.depth_blur);
  AddNumber(form, "normals_augmentation", payload.normals_augmentation);
  AddNumber(form, "trajectory_sparsity", payload.trajectory_sparsity);
  AddFlag(form, "face_enabled", payload.face_enabled);
  AddFlag(form, "hdr", payload.hdr);
  AddFlag(form, "exr_export", payload.exr_export);
  AddText(form, "start_frame_url", payload.start_frame_url);
  AddFlag(form, "has_foreign_keys", payload.has_foreign_keys);
  return Sha256Hex(form);
}

}  // namespace lumaedit
