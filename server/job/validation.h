// Is a submission well-formed? Values only, no store, no clock (protocol.md section 8, upstream.md
// section 6). Fields are named by their path in the public API: "edit.prompt". Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "server/job/edit.h"
#include "server/job/error.h"
#include "server/job/job.h"

namespace lumaedit {

struct InlineBytes {
  std::string data;
  std::string media_type;
};

struct SubmitRequest {
  std::string caller;
  std::string request_id;
  Edit edit;  // with inline bytes, `edit.source` is unset until they are stored
  std::optional<InlineBytes> inline_source;
  SubmitOptions options;
};

struct ValidationLimits {
  absl::Duration longest_source = absl::Seconds(30);
};

// Every wrong field, in the order of the proto; empty: all is well.
std::vector<Violation> ValidateSubmit(const SubmitRequest& request, const ValidationLimits& limits);
// The same of what a quote rests on: the edit, whose prompt may be empty, and the declared
// duration.
std::vector<Violation> ValidateQuote(const SubmitRequest& request, const ValidationLimits& limits);
std::vector<Violation> ValidateLabels(const std::map<std::string, std::string>& labels,
                                      std::string_view field);

// https, host name (no IP literal), no userinfo, no control characters, at most 2,048 bytes.
// Empty answer: fine. The gateway never fetches it (hardening.md section 3).
std::string WhyNotAPublicUrl(std::string_view url);

// 36 characters, upper or lower case, and not all zero.
bool IsUuidButNil(std::string_view text);

// "video/" and a token of RFC 9110 section 5.6.2, without parameters.
bool IsVideoMediaType(std::string_view text);

// The fields in which a repeat of a request differs from the first (protocol.md section 8).
std::vector<std::string> DifferingFields(const Edit& first, const SubmitOptions& first_options,
                                         const Edit& repeat, const SubmitOptions& repeat_options);

// Code points of well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF);
// unset for anything else.
std::optional<std::int64_t> Utf8CodePoints(std::string_view text);

}  // namespace lumaedit
