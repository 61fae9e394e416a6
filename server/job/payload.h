// The payload of a POST as values, and its fingerprint: what protocol.md section 4 compares when it
// asks whether a listed record is ours. Values; any thread.
#pragma once

#include <optional>
#include <string>

#include "server/job/edit.h"

namespace lumaedit {

inline constexpr char kEditModel[] = "luma-ray-3-2-edit";

// Parameter names are the upstream's (upstream.md section 6). Unset = not sent. For an echo:
// a documented default reads as unset, numbers are doubles, source_data is its SHA-256.
struct UpstreamPayload {
  std::string prompt;
  std::string source_generation_id;
  std::string source_data_sha256;  // lower-case hex of the decoded bytes
  std::string source_media_type;
  std::string resolution;  // "540p", "1080p"; empty = 720p, the documented default
  std::optional<bool> edit_auto_controls;
  std::string edit_strength;
  std::string pose_strength;  // empty = None
  std::optional<double> depth_blur;
  std::optional<double> normals_augmentation;
  std::optional<double> trajectory_sparsity;
  bool face_enabled = false;
  bool hdr = false;
  bool exr_export = false;
  std::string start_frame_url;
  // An echo with a key or a type that we never send cannot be ours.
  bool has_foreign_keys = false;

  friend bool operator==(const UpstreamPayload&, const UpstreamPayload&) = default;
};

// What is sent for `edit`. `edit_auto_controls: true` is sent when `manual` is unset.
UpstreamPayload PayloadFor(const Edit& edit);

// SHA-256 (hex) of a canonical form; equal fingerprints = equal payloads by value.
std::string PayloadFingerprint(const UpstreamPayload& payload);

}  // namespace lumaedit
