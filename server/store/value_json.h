// The product's values as JSON texts, for columns that no query looks into. Any thread.
//
// Reading is tolerant of missing and unknown keys (an older or a newer gateway wrote them) and
// strict about types: what does not fit is DATA_LOSS that names the key, never the content.
// Not SQLite's alone: every store writes these texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/job/job.h"
#include "server/job/source_store.h"

namespace lumaedit {

std::string EditToJson(const Edit& edit);
absl::StatusOr<Edit> EditFromJson(std::string_view text);

std::string OptionsToJson(const SubmitOptions& options);
absl::StatusOr<SubmitOptions> OptionsFromJson(std::string_view text);

std::string OutcomeToJson(const Outcome& outcome);
absl::StatusOr<Outcome> OutcomeFromJson(std::string_view text);

std::string JobErrorToJson(const JobError& error);
absl::StatusOr<JobError> JobErrorFromJson(std::string_view text);

// The fact's record_time is left out: it has a column of its own.
std::string FactToJson(const Fact& fact);
absl::StatusOr<Fact> FactFromJson(std::string_view text);

std::string StringsToJson(const std::vector<std::string>& strings);
absl::StatusOr<std::vector<std::string>> StringsFromJson(std::string_view text);

// received_bytes is left out: the file's own size tells it.
std::string SourceInfoToJson(const SourceInfo& info);
absl::StatusOr<SourceInfo> SourceInfoFromJson(std::string_view text);

}  // namespace lumaedit
