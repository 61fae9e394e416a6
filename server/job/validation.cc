#include "server/job/validation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lumaedit {
namespace {

constexpr int kMostPromptCodePoints = 6000;
constexpr std::size_t kMostIdLength = 128;
constexpr std::size_t kMostMediaTypeLength = 127;  // RFC 6838 section 4.2
constexpr std::size_t kMostLabels = 16;
constexpr std::size_t kMostLabelKeyLength = 63;
constexpr std::size_t kMostLabelValueBytes = 63;
constexpr std::size_t kMostUrlBytes = 2048;
constexpr std::size_t kMostHostLength = 253;  // RFC 1035 section 2.3.4, as text
constexpr std::size_t kMostHostLabelLength = 63;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kMostIdLength &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '-';
         });
}

bool IsLabelKey(std::string_view key) {
  return !key.empty() && key.size() <= kMostLabelKeyLength && absl::ascii_islower(key[0]) &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '.' ||
                  c == '-';
         });
}

void CheckRequestId(const std::string& request_id, std::vector<Violation>& out) {
  if (request_id.empty()) {
    out.push_back({"request_id", "is required: a UUID that names this submission"});
  } else if (!IsUuidButNil(request_id)) {
    out.push_back({"request_id", "must be a UUID of 36 characters, and not the nil one"});
  }
}

void CheckPrompt(const std::string& prompt, std::vector<Violation>& out) {
  const auto length = Utf8CodePoints(prompt);
  if (!length) {
    out.push_back({"edit.prompt", "must be well-formed UTF-8"});
  } else if (*length == 0) {
    out.push_back({"edit.prompt", "is required"});
  } else if (*length > kMostPromptCodePoints) {
    out.push_back({"edit.prompt", absl::StrCat("must have at most ", kMostPromptCodePoints,
                                               " code points, and has ", *length)});
  }
}

void CheckSource(const Edit& edit, bool has_inline, std::vector<Violation>& out) {
  if (std::holds_alternative<std::monostate>(edit.source)) {
    if (!has_inline) out.push_back({"edit.source", "is required"});
    return;
  }
  if (has_inline) {
    out.push_back({"edit.source", "must be exactly one"});
    return;
  }
  if (const auto* generation = std::get_if<GenerationSource>(&edit.source)) {
    if (!IsId(generation->generation_id)) {
      out.push_back({"edit.generation_id", "must be 1 to 128 of A-Z a-z 0-9 _ -"});
    }
  } else if (const auto* job = std::get_if<JobSource>(&edit.source)) {
    if (!IsUuidButNil(job->job_id)) out.push_back({"edit.source_job_id", "must be a Job.id"});
  } else if (!IsUuidButNil(std::get<StoredSource>(edit.source).source_id)) {
    out.push_back({"edit.source_id", "must be a Source.id: a UUID, and not the nil one"});
  }
}

void CheckInline(const InlineBytes& bytes, std::vector<Violation>& out) {
  if (bytes.data.empty()) out.push_back({"edit.inline.data", "is required"});
  if (bytes.media_type.empty()) {
    out.push_back({"edit.inline.media_type", "is required, such as video/mp4"});
  } else if (!IsVideoMediaType(bytes.media_type)) {
    out.push_back(
        {"edit.inline.media_type", "must be \"video/\" followed by a token, without parameters"});
  }
}

void CheckUnitRange(const std::optional<double>& value, const char* field,
                    std::vector<Violation>& out) {
  if (!value) return;
  // Written so that NaN fails it.
  if (!(*value >= 0.0 && *value <= 1.0)) out.push_back({field, "must be a number from 0 to 1"});
}

template <typename Enum>
bool InRange(Enum value, Enum most) {
  return static_cast<int>(value) >= 0 && static_cast<int>(value) <= static_cast<int>(most);
}

void CheckManual(const ManualConditioning& manual, std::vector<Violation>& out) {
  if (manual == ManualConditioning{}) {
    out.push_back({"edit.manual", "has nothing set: set a field of it, or leave it unset"});
  }
  if (!InRange(manual.strength, Strength::kReimagine3)) {
    out.push_back({"edit.manual.strength", "is no value of Strength"});
  }
  if (!InRange(manual.pose, Pose::kCoarse)) {
    out.push_back({"edit.manual.pose", "is no value of Pose"});
  }
  CheckUnitRange(manual.depth_blur, "edit.manual.depth_blur", out);
  CheckUnitRange(manual.normals_augmentation, "edit.manual.normals_augmentation", out);
  CheckUnitRange(manual.trajectory_sparsity, "edit.manual.trajectory_sparsity", out);
}

// Everything of an edit but its source.
void CheckRest(const Edit& edit, std::vector<Violation>& out) {
  if (!InRange(edit.output_format, OutputFormat::kHdrExr1080p)) {
    out.push_back({"edit.output_format", "is no value of OutputFormat"});
  }
  if (edit.manual) CheckManual(*edit.manual, out);
  if (!edit.start_frame_url.empty()) {
    if (std::string why = WhyNotAPublicUrl(edit.start_frame_url); !why.empty()) {
      out.push_back({"edit.start_frame_url", std::move(why)});
    }
  }
}

void CheckDeclaredDuration(const SubmitOptions& options, const ValidationLimits& limits,
                           std::vector<Violation>& out) {
  if (!options.declared_source_duration) return;
  if (*options.declared_source_duration <= absl::ZeroDuration()) {
    out.push_back({"declared_source_duration", "must be above 0"});
  } else if (*options.declared_source_duration > limits.longest_source) {
    out.push_back({"declared_source_duration",
                   absl::StrCat("must be at most ", absl::FormatDuration(limits.longest_source))});
  }
}

void CheckOptions(const SubmitOptions& options, const ValidationLimits& limits,
                  std::vector<Violation>& out) {
  for (Violation& violation : ValidateLabels(options.labels, "labels")) {
    out.push_back(std::move(violation));
  }
  if (options.max_price_usd_micros && *options.max_price_usd_micros < 0) {
    out.push_back({"max_price_usd_micros", "must be at least 0"});
  }
  CheckDeclaredDuration(options, limits, out);
  if (options.start_within) {
    if (*options.start_within <= absl::ZeroDuration()) {
      out.push_back({"start_within", "must be above 0"});
    } else if (*options.start_within == absl::InfiniteDuration()) {
      out.push_back({"start_within", "is no valid duration"});
    }
  }
}

// What is wrong with the host of a URL; empty: nothing.
std::string WhyNotAPublicHost(std::string_view host) {
  if (host.empty()) return "must have a host name";
  if (host.size() > kMostHostLength) return "has a host name that is too long";
  const std::vector<absl::string_view> labels = absl::StrSplit(View(host), '.');
  for (absl::string_view label : labels) {
    const bool well_formed = !label.empty() && label.size() <= kMostHostLabelLength &&
                             label.front() != '-' && label.back() != '-' &&
                             std::all_of(label.begin(), label.end(), [](unsigned char c) {
                               return absl::ascii_isalnum(c) || c == '-' || c == '_';
                             });
    if (!well_formed) return "has a malformed host name";
  }
  // Whatever ends in a number is an address to one parser or another: 127.1, 0x7f000001,
  // 2130706433.
  const absl::string_view last = labels.back();
  const bool decimal = std::all_of(last.begin(), last.end(), absl::ascii_isdigit);
  const bool hex = absl::StartsWithIgnoreCase(last, "0x") &&
                   std::all_of(last.begin() + 2, last.end(), absl::ascii_isxdigit);
  if (decimal || hex) return "must have a host name, not an IP address";
  if (labels.size() < 2) return "must have a public host name";
  // RFC 6761, RFC 6762, RFC 8375 and the name reserved for private use: never public.
  for (absl::string_view suffix : {".localhost", ".local", ".internal", ".home.arpa"}) {
    if (absl::EndsWithIgnoreCase(View(host), suffix)) return "must have a public host name";
  }
  return "";
}

void AddIf(bool differs, const char* field, std::vector<std::string>& out) {
  if (differs) out.push_back(field);
}

void CompareSources(const Source& first, const Source& repeat, std::vector<std::string>& out) {
  if (first.index() != repeat.index()) {
    out.push_back("edit.source");
    return;
  }
  if (const auto* generation = std::get_if<GenerationSource>(&first)) {
    AddIf(*generation != std::get<GenerationSource>(repeat), "edit.generation_id", out);
  } else if (const auto* job = std::get_if<JobSource>(&first)) {
    AddIf(job->job_id != std::get<JobSource>(repeat).job_id, "edit.source_job_id", out);
  } else if (const auto* stored = std::get_if<StoredSource>(&first)) {
    const auto& other = std::get<StoredSource>(repeat);
    if (stored->was_inline != other.was_inline) {
      out.push_back("edit.source");
    } else if (stored->was_inline) {
      // Inline bytes get a new source_id each time; their hash says whether they are the same.
      AddIf(stored->sha256 != other.sha256, "edit.inline.data", out);
      AddIf(stored->media_type != other.media_type, "edit.inline.media_type", out);
    } else {
      AddIf(stored->source_id != other.source_id, "edit.source_id", out);
    }
  }
}

void CompareManual(const std::optional<ManualConditioning>& first,
                   const std::optional<ManualConditioning>& repeat, std::vector<std::string>& out) {
  if (first.has_value() != repeat.has_value()) {
    out.push_back("edit.manual");
    return;
  }
  if (!first) return;
  AddIf(first->strength != repeat->strength, "edit.manual.strength", out);
  AddIf(first->pose != repeat->pose, "edit.manual.pose", out);
  AddIf(first->depth_blur != repeat->depth_blur, "edit.manual.depth_blur", out);
  AddIf(first->normals_augmentation != repeat->normals_augmentation,
        "edit.manual.normals_augmentation", out);
  AddIf(first->trajectory_sparsity != repeat->trajectory_sparsity,
        "edit.manual.trajectory_sparsity", out);
  AddIf(first->face != repeat->face, "edit.manual.face", out);
}

}  // namespace

bool IsUuidButNil(std::string_view text) {
  if (text.size() != 36) return false;
  bool nil = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return false;
      continue;
    }
    if (!absl::ascii_isxdigit(text[i])) return false;
    if (text[i] != '0') nil = false;
  }
  return !nil;
}

bool IsVideoMediaType(std::string_view text) {
  constexpr std::string_view kPrefix = "video/";
  if (text.size() <= kPrefix.size() || text.size() > kMostMediaTypeLength) return false;
  if (text.substr(0, kPrefix.size()) != kPrefix) return false;
  text.remove_prefix(kPrefix.size());
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::vector<Violation> ValidateSubmit(const SubmitRequest& request,
                                      const ValidationLimits& limits) {
  std::vector<Violation> out;
  CheckRequestId(request.request_id, out);
  CheckPrompt(request.edit.prompt, out);
  CheckSource(request.edit, request.inline_source.has_value(), out);
  if (request.inline_source) CheckInline(*request.inline_source, out);
  CheckRest(request.edit, out);
  CheckOptions(request.options, limits, out);
  return out;
}

std::vector<Violation> ValidateQuote(const SubmitRequest& request, const ValidationLimits& limits) {
  std::vector<Violation> out;
  if (!request.edit.prompt.empty()) CheckPrompt(request.edit.prompt, out);
  CheckSource(request.edit, request.inline_source.has_value(), out);
  if (request.inline_source) CheckInline(*request.inline_source, out);
  CheckRest(request.edit, out);
  CheckDeclaredDuration(request.options, limits, out);
  return out;
}

std::vector<Violation> ValidateLabels(const std::map<std::string, std::string>& labels,
                                      std::string_view field) {
  std::vector<Violation> out;
  const std::string name(field);
  if (labels.size() > kMostLabels) {
    out.push_back(
        {name, absl::StrCat("must be at most ", kMostLabels, ", and are ", labels.size())});
  }
  for (const auto& [key, value] : labels) {
    if (!IsLabelKey(key)) {
      // The key may be long and hold anything: it is shown cut and escaped.
      constexpr std::size_t kShown = 40;
      out.push_back({name, absl::StrCat("key \"", absl::CHexEscape(key.substr(0, kShown)),
                                        key.size() > kShown ? "…" : "",
                                        "\" must match [a-z][a-z0-9_.-]{0,62}")});
      continue;
    }
    if (value.size() > kMostLabelValueBytes) {
      out.push_back({absl::StrCat(name, "[", key, "]"),
                     absl::StrCat("must have at most ", kMostLabelValueBytes, " bytes, and has ",
                                  value.size())});
    } else if (!Utf8CodePoints(value)) {
      out.push_back({absl::StrCat(name, "[", key, "]"), "must be well-formed UTF-8"});
    }
  }
  return out;
}

std::string WhyNotAPublicUrl(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (url.empty()) return "is empty";
  if (url.size() > kMostUrlBytes) {
    return absl::StrCat("must have at most ", kMostUrlBytes, " bytes, and has ", url.size());
  }
  for (std::size_t i = 0; i < url.size(); ++i) {
    const auto c = static_cast<unsigned char>(url[i]);
    // RFC 3986 leaves these out; a backslash is a slash to some parsers.
    if (c <= 0x20 || c >= 0x7F ||
        std::string_view("\"<>\\^`{|}").find(url[i]) != std::string_view::npos) {
      return "has characters that a URL may not have unescaped";
    }
    if (c == '%' && !(i + 2 < url.size() && absl::ascii_isxdigit(url[i + 1]) &&
                      absl::ascii_isxdigit(url[i + 2]))) {
      return "has a malformed percent escape";
    }
  }
  if (!absl::StartsWithIgnoreCase(View(url), View(kScheme))) return "must begin with https://";
  url.remove_prefix(kScheme.size());
  std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) return "must not have a user name or password";
  if (authority.find('[') != std::string_view::npos) {
    return "must have a host name, not an IP address";
  }
  if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    int number = 0;
    const bool digits = !port.empty() && port.size() <= 5 &&
                        std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
    if (digits) {
      for (char c : port) number = number * 10 + (c - '0');
    }
    if (!digits || number < 1 || number > 65535) return "has a malformed port";
    authority = authority.substr(0, colon);
  }
  return WhyNotAPublicHost(authority);
}

std::vector<std::string> DifferingFields(const Edit& first, const SubmitOptions& first_options,
                                         const Edit& repeat, const SubmitOptions& repeat_options) {
  std::vector<std::string> out;
  AddIf(first.prompt != repeat.prompt, "edit.prompt", out);
  CompareSources(first.source, repeat.source, out);
  AddIf(first.output_format != repeat.output_format, "edit.output_format", out);
  CompareManual(first.manual, repeat.manual, out);
  AddIf(first.start_frame_url != repeat.start_frame_url, "edit.start_frame_url", out);
  AddIf(first_options.labels != repeat_options.labels, "labels", out);
  AddIf(first_options.max_price_usd_micros != repeat_options.max_price_usd_micros,
        "max_price_usd_micros", out);
  AddIf(first_options.declared_source_duration != repeat_options.declared_source_duration,
        "declared_source_duration", out);
  AddIf(first_options.start_within != repeat_options.start_within, "start_within", out);
  return out;
}

std::optional<std::int64_t> Utf8CodePoints(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    const auto byte = [&](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    const unsigned first = byte(i);
    std::size_t length = 1;
    unsigned least = 0x80, most = 0xBF;  // of the second byte
    if (first >= 0xC2 && first <= 0xDF) {
      length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
      length = 3;
      if (first == 0xE0) least = 0xA0;
      if (first == 0xED) most = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
      length = 4;
      if (first == 0xF0) least = 0x90;
      if (first == 0xF4) most = 0x8F;
    } else if (first >= 0x80) {
      return std::nullopt;
    }
    for (std::size_t k = 1; k < length; ++k) {
      const unsigned next = byte(i + k);
      if (next < least || next > most) return std::nullopt;
      least = 0x80;
      most = 0xBF;
    }
    i += length;
  }
  return count;
}

}  // namespace lumaedit
