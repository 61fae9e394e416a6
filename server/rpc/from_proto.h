// Messages -> values. What a value cannot say (an invalid time) is a violation here; all else is
// judged by job/validation.h. Any thread.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lumaedit/v1/edit_service.pb.h"
#include "server/job/error.h"
#include "server/job/job_store.h"
#include "server/job/validation.h"

namespace lumaedit {

// An invalid duration (out of range, or signs that differ) is InfiniteDuration of its sign, which
// no rule accepts.
absl::Duration DurationFromProto(const google::protobuf::Duration& duration);

// Unset for a timestamp outside of years 1 to 9999.
std::optional<absl::Time> TimeFromProto(const google::protobuf::Timestamp& timestamp);

// Takes the inline bytes out of `message` instead of copying them.
SubmitRequest SubmitRequestFromProto(v1::SubmitEditRequest&& message, std::string caller);

// The filter of a page; what is wrong with it is added to `violations`.
JobFilter JobFilterFromProto(const v1::ListJobsRequest& message,
                             std::vector<Violation>& violations);

}  // namespace lumaedit
