// What the user asked luma-edit to do: the command line and the environment, parsed and checked.
//
// Filled once at start, constant afterwards.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "lumaedit/v1/edit.pb.h"
#include "lumaedit/v1/job.pb.h"

namespace lumaedit::client::cli {

enum class Command { kSubmit, kWatch, kGet, kList, kCancel };

struct SubmitArguments {
  std::string prompt;
  std::string prompt_file;  // "-" = standard input
  std::string generation_id;
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

struct ListArguments {
  std::vector<v1::Job::State> states;
  int limit = 50;  // 0 = all
  std::optional<absl::Time> created_after;
};

struct Arguments {
  Command command = Command::kGet;
  ConnectionOptions connection;
  absl::Duration timeout = absl::Seconds(30);
  bool json = false;

  std::string job_id;                         // watch, get, cancel
  std::map<std::string, std::string> labels;  // submit, list
  SubmitArguments submit;
  ListArguments list;
  std::int32_t after_sequence = 0;                   // watch
  absl::Duration heartbeat = absl::Seconds(15);      // watch, submit --watch
  absl::Duration give_up_after = absl::Minutes(30);  // watch, submit --watch
};

// Nothing to run: print `text` (to stderr unless exit_code is 0) and leave.
struct ParseStop {
  int exit_code = 0;
  std::string text;
};

// Reads the command line; what it leaves out is taken from LUMA_EDIT_… variables of the
// environment.
std::variant<Arguments, ParseStop> ParseArguments(int argc, const char* const* argv);

// "1.08" or "$1.08" → 1080000: exact, at most six decimals. Unset for anything else.
std::optional<std::int64_t> ParseUsdMicros(absl::string_view text);

}  // namespace lumaedit::client::cli
