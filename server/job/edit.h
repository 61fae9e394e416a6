// An edit as asked for: values only, mirrored from proto/lumaedit/v1/edit.proto. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace lumaedit {

// The seven combinations that exist and are priced (upstream.md 6.5). Numbers equal the proto's.
enum class OutputFormat {
  kUnspecified = 0,  // SDR 720p, the upstream's default
  kSdr540p = 1,
  kSdr720p = 2,
  kSdr1080p = 3,
  kHdr720p = 4,
  kHdr1080p = 5,
  kHdrExr720p = 6,
  kHdrExr1080p = 7,
};

// Numbers equal the proto's; the order is the upstream's adhere_1 … reimagine_3.
enum class Strength {
  kUnspecified = 0,
  kAdhere1,
  kAdhere2,
  kAdhere3,
  kFlex1,
  kFlex2,
  kFlex3,
  kReimagine1,
  kReimagine2,
  kReimagine3,
};

enum class Pose { kUnspecified = 0, kPrecise = 1, kCoarse = 2 };

// Unset and 0 differ for the three numbers: 0 is sent, unset is not (upstream.md 6).
struct ManualConditioning {
  Strength strength = Strength::kUnspecified;
  Pose pose = Pose::kUnspecified;
  std::optional<double> depth_blur;
  std::optional<double> normals_augmentation;
  std::optional<double> trajectory_sparsity;
  bool face = false;

  friend bool operator==(const ManualConditioning&, const ManualConditioning&) = default;
};

// A prior generation of the same upstream account.
struct GenerationSource {
  std::string generation_id;
  friend bool operator==(const GenerationSource&, const GenerationSource&) = default;
};

// The outcome of another job of the same caller.
struct JobSource {
  std::string job_id;
  std::string generation_id;  // resolved when the job was submitted
  friend bool operator==(const JobSource&, const JobSource&) = default;
};

// Bytes in the SourceStore. `was_inline`: they came inside the SubmitEdit message.
struct StoredSource {
  std::string source_id;
  std::string media_type;
  std::string sha256;  // lower-case hex of the raw bytes
  std::int64_t size_bytes = 0;
  bool was_inline = false;
  friend bool operator==(const StoredSource&, const StoredSource&) = default;
};

using Source = std::variant<std::monostate, GenerationSource, JobSource, StoredSource>;

struct Edit {
  std::string prompt;
  Source source;
  OutputFormat output_format = OutputFormat::kUnspecified;
  std::optional<ManualConditioning> manual;  // unset: the model derives all conditioning
  std::string start_frame_url;               // empty: none

  friend bool operator==(const Edit&, const Edit&) = default;
};

}  // namespace lumaedit
