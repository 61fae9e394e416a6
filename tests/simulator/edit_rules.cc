#include "edit_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "json_get.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

constexpr double kMaxSourceSeconds = 30.0;
constexpr size_t kMaxPromptCharacters = 6000;

size_t CountCodePoints(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

bool IsOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Absent and null are the same; so is the empty string (section 6, last paragraph).
const json::value* Find(const json::object& payload, std::string_view key) {
  const json::value* value = payload.if_contains(key);
  if (value == nullptr || value->is_null()) return nullptr;
  if (value->is_string() && value->get_string().empty()) return nullptr;
  return value;
}

std::optional<std::string> WrongType(const json::object& payload) {
  for (const char* key : {"source_generation_id", "source_media_type", "resolution",
                          "edit_strength", "pose_strength", "start_frame_url"}) {
    const json::value* value = Find(payload, key);
    if (value != nullptr && !value->is_string()) return std::string(key) + " must be a string";
  }
  for (const char* key : {"edit_auto_controls", "face_enabled", "hdr", "exr_export"}) {
    const json::value* value = Find(payload, key);
    if (value != nullptr && !value->is_bool()) return std::string(key) + " must be a boolean";
  }
  for (const char* key : {"depth_blur", "normals_augmentation", "trajectory_sparsity"}) {
    const json::value* value = Find(payload, key);
    if (value == nullptr) continue;
    if (!value->is_number()) return std::string(key) + " must be a number";
    const double number = value->to_number<double>();
    if (!(number >= 0.0 && number <= 1.0)) return std::string(key) + " must be between 0 and 1";
  }
  return std::nullopt;
}

std::optional<std::string> WrongWord(const json::object& payload) {
  if (!IsOneOf(GetString(payload, "resolution"), {"", "540p", "720p", "1080p"})) {
    return "resolution must be one of 540p, 720p, 1080p";
  }
  if (!IsOneOf(GetString(payload, "edit_strength"),
               {"", "adhere_1", "adhere_2", "adhere_3", "flex_1", "flex_2", "flex_3", "reimagine_1",
                "reimagine_2", "reimagine_3"})) {
    return "edit_strength is not one of the presets";
  }
  if (!IsOneOf(GetString(payload, "pose_strength"), {"", "None", "precise", "coarse"})) {
    return "pose_strength must be one of None, precise, coarse";
  }
  return std::nullopt;
}

std::optional<std::string> WrongSource(const Submission& submission, double source_seconds) {
  const json::object& payload = submission.payload;
  const bool by_id = Find(payload, "source_generation_id") != nullptr;
  if (by_id == submission.has_source_data) {
    return "exactly one of source_generation_id and source_data is required";
  }
  if (submission.has_source_data) {
    if (Find(payload, "source_media_type") == nullptr) {
      return "source_media_type is required with source_data";
    }
    if (!GetString(payload, "source_media_type").starts_with("video/")) {
      return "source_media_type must be a video type";
    }
    if (!submission.source_data_is_base64) return "source_data is not valid base64";
  }
  if (source_seconds > kMaxSourceSeconds) return "source must be 30 seconds or shorter";
  return std::nullopt;
}

std::optional<std::string> WrongCombination(const json::object& payload) {
  if (GetBool(payload, "edit_auto_controls", false)) {
    const bool posed = !IsOneOf(GetString(payload, "pose_strength"), {"", "None"});
    if (Find(payload, "edit_strength") != nullptr) {
      return "edit_auto_controls and edit_strength are mutually exclusive";
    }
    if (posed || Find(payload, "depth_blur") != nullptr ||
        Find(payload, "normals_augmentation") != nullptr ||
        Find(payload, "trajectory_sparsity") != nullptr ||
        GetBool(payload, "face_enabled", false)) {
      return "edit_auto_controls and per-signal controls are mutually exclusive";
    }
  }
  const bool hdr = GetBool(payload, "hdr", false);
  if (hdr && GetString(payload, "resolution") == "540p") return "hdr requires 720p or 1080p";
  if (GetBool(payload, "exr_export", false) && !hdr) return "exr_export requires hdr";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> RefusalOf(const Submission& submission, double source_seconds) {
  const json::value* prompt = submission.payload.if_contains("prompt");
  if (prompt == nullptr || !prompt->is_string()) return "prompt is required";
  const size_t characters = CountCodePoints(submission.prompt);
  if (characters < 1 || characters > kMaxPromptCharacters) {
    return "prompt must be between 1 and 6000 characters";
  }
  if (auto wrong = WrongType(submission.payload)) return wrong;
  if (auto wrong = WrongWord(submission.payload)) return wrong;
  if (auto wrong = WrongSource(submission, source_seconds)) return wrong;
  return WrongCombination(submission.payload);
}

int64_t BlocksOf(double source_seconds) {
  const auto micros = static_cast<int64_t>(std::llround(source_seconds * 1e6));
  return std::max<int64_t>(1, (micros + 4'999'999) / 5'000'000);
}

int64_t PriceUsdMicros(const json::object& payload, double source_seconds) {
  // Rows: SDR, HDR, HDR + EXR; columns: 540p, 720p, 1080p.
  static constexpr std::array<std::array<int64_t, 3>, 3> kBlockUsdMicros = {{
      {720'000, 1'080'000, 2'160'000},
      {0, 2'160'000, 4'320'000},
      {0, 3'780'000, 7'560'000},
  }};
  const std::string resolution = GetString(payload, "resolution");
  const size_t column = resolution == "540p" ? 0 : resolution == "1080p" ? 2 : 1;
  const size_t row = GetBool(payload, "exr_export", false) ? 2
                     : GetBool(payload, "hdr", false)      ? 1
                                                           : 0;
  return BlocksOf(source_seconds) * kBlockUsdMicros[row][column];
}

double SourceSeconds(const std::string& prompt, double fallback) {
  static constexpr std::string_view kMarker = "[seconds=";
  const size_t at = prompt.find(kMarker);
  if (at == std::string::npos) return fallback;
  const double seconds = std::strtod(prompt.c_str() + at + kMarker.size(), nullptr);
  return seconds > 0.0 ? seconds : fallback;
}

}  // namespace lumaedit::simulator
