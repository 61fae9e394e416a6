// `luma-edit submit`: submits an edit, and watches it when asked to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "lumaedit/v1/edit.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lumaedit::client::cli {

struct Arguments;
class Session;

struct SubmitArguments {
  std::string prompt;
  std::string prompt_file;  // "-" = standard input
  std::string generation_id;
  std::string source_job_id;
  std::string source_id;
  std::string source_file;
  std::string media_type;  // empty = guessed from the file's extension
  v1::OutputFormat format = v1::OUTPUT_FORMAT_UNSPECIFIED;
  v1::ManualConditioning::Strength strength = v1::ManualConditioning::STRENGTH_UNSPECIFIED;
  v1::ManualConditioning::Pose pose = v1::ManualConditioning::POSE_UNSPECIFIED;
  std::optional<double> depth_blur;
  std::optional<double> normals_augmentation;
  std::optional<double> trajectory_sparsity;
  bool face = false;
  std::string start_frame_url;
  std::optional<std::int64_t> max_price_usd_micros;
  std::optional<absl::Duration> source_duration;
  std::optional<absl::Duration> start_within;
  std::string request_id;  // empty = a new one
  bool watch = false;
};

// The command's options, into `arguments`.
CLI::App* AddSubmit(CLI::App& app, Arguments& arguments);

// Runs it; returns the exit code.
int RunSubmit(Session& session);

}  // namespace lumaedit::client::cli
