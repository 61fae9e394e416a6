#include "server/rpc/from_proto.h"

#include <utility>

namespace lumaedit {
namespace {

// google/protobuf/duration.proto and timestamp.proto.
constexpr std::int64_t kMostDurationSeconds = 315'576'000'000;
constexpr std::int32_t kMostNanos = 999'999'999;
constexpr std::int64_t kFirstSecond = -62'135'596'800;
constexpr std::int64_t kLastSecond = 253'402'300'799;

ManualConditioning ManualFromProto(const v1::ManualConditioning& message) {
  ManualConditioning manual;
  manual.strength = static_cast<Strength>(message.strength());
  manual.pose = static_cast<Pose>(message.pose());
  if (message.has_depth_blur()) manual.depth_blur = message.depth_blur();
  if (message.has_normals_augmentation()) {
    manual.normals_augmentation = message.normals_augmentation();
  }
  if (message.has_trajectory_sparsity()) {
    manual.trajectory_sparsity = message.trajectory_sparsity();
  }
  manual.face = message.face();
  return manual;
}

}  // namespace

absl::Duration DurationFromProto(const google::protobuf::Duration& duration) {
  const std::int64_t seconds = duration.seconds();
  const std::int32_t nanos = duration.nanos();
  const bool negative = seconds < 0 || (seconds == 0 && nanos < 0);
  const bool valid = seconds >= -kMostDurationSeconds && seconds <= kMostDurationSeconds &&
                     nanos >= -kMostNanos && nanos <= kMostNanos && !(seconds > 0 && nanos < 0) &&
                     !(seconds < 0 && nanos > 0);
  if (!valid) return negative ? -absl::InfiniteDuration() : absl::InfiniteDuration();
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

std::optional<absl::Time> TimeFromProto(const google::protobuf::Timestamp& timestamp) {
  if (timestamp.seconds() < kFirstSecond || timestamp.seconds() > kLastSecond ||
      timestamp.nanos() < 0 || timestamp.nanos() > kMostNanos) {
    return std::nullopt;
  }
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

SubmitRequest SubmitRequestFromProto(v1::SubmitEditRequest&& message, std::string caller) {
  SubmitRequest request;
  request.caller = std::move(caller);
  request.request_id = std::move(*message.mutable_request_id());

  v1::Edit& edit = *message.mutable_edit();
  request.edit.prompt = std::move(*edit.mutable_prompt());
  switch (edit.source_case()) {
    case v1::Edit::kGenerationId:
      request.edit.source = GenerationSource{edit.generation_id()};
      break;
    case v1::Edit::kSourceJobId:
      request.edit.source = JobSource{edit.source_job_id(), ""};
      break;
    case v1::Edit::kSourceId: {
      StoredSource stored;
      stored.source_id = edit.source_id();
      request.edit.source = std::move(stored);
      break;
    }
    case v1::Edit::kInline:
      request.inline_source = InlineBytes{std::move(*edit.mutable_inline_()->mutable_data()),
                                          edit.inline_().media_type()};
      break;
    case v1::Edit::SOURCE_NOT_SET:
      break;
  }
  request.edit.output_format = static_cast<OutputFormat>(edit.output_format());
  if (edit.has_manual()) request.edit.manual = ManualFromProto(edit.manual());
  request.edit.start_frame_url = std::move(*edit.mutable_start_frame_url());

  request.options.labels = {message.labels().begin(), message.labels().end()};
  if (message.has_max_price_usd_micros()) {
    request.options.max_price_usd_micros = message.max_price_usd_micros();
  }
  if (message.has_declared_source_duration()) {
    request.options.declared_source_duration =
        DurationFromProto(message.declared_source_duration());
  }
  if (message.has_start_within()) {
    request.options.start_within = DurationFromProto(message.start_within());
  }
  return request;
}

JobFilter JobFilterFromProto(const v1::ListJobsRequest& message,
                             std::vector<Violation>& violations) {
  JobFilter filter;
  for (int state : message.states()) {
    if (state < static_cast<int>(JobState::kPending) ||
        state > static_cast<int>(JobState::kExpired)) {
      violations.push_back({"states", "has a value that is no state"});
      break;
    }
    filter.states.push_back(static_cast<JobState>(state));
  }
  filter.labels = {message.labels().begin(), message.labels().end()};
  for (Violation& violation : ValidateLabels(filter.labels, "labels")) {
    violations.push_back(std::move(violation));
  }
  if (message.has_created_after()) {
    if (const auto time = TimeFromProto(message.created_after())) {
      filter.created_after = *time;
    } else {
      violations.push_back({"created_after", "is no valid timestamp"});
    }
  }
  if (message.has_created_before()) {
    if (const auto time = TimeFromProto(message.created_before())) {
      filter.created_before = *time;
    } else {
      violations.push_back({"created_before", "is no valid timestamp"});
    }
  }
  return filter;
}

}  // namespace lumaedit
