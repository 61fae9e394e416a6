#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>

#include "server/rpc/from_proto.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/to_proto.h"
#include "server/rpc/transition_encoder.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

v1::SubmitEditRequest FullRequest() {
  v1::SubmitEditRequest message;
  message.set_request_id("0B6F3C52-7a1e-4d0c-9a54-3f1f6a2d7e10");
  v1::Edit& edit = *message.mutable_edit();
  edit.set_prompt("Night rain");
  edit.mutable_inline_()->set_data(std::string("\0\xFF", 2));
  edit.mutable_inline_()->set_media_type("video/mp4");
  edit.set_output_format(v1::OUTPUT_FORMAT_HDR_EXR_720P);
  edit.mutable_manual()->set_strength(v1::ManualConditioning::STRENGTH_FLEX_2);
  edit.mutable_manual()->set_pose(v1::ManualConditioning::POSE_COARSE);
  edit.mutable_manual()->set_depth_blur(0);
  edit.mutable_manual()->set_face(true);
  edit.set_start_frame_url("https://example.com/a.png");
  (*message.mutable_labels())["team"] = "a";
  message.set_max_price_usd_micros(0);
  message.mutable_declared_source_duration()->set_seconds(4);
  message.mutable_declared_source_duration()->set_nanos(999'000'000);
  message.mutable_start_within()->set_seconds(3600);
  return message;
}

TEST(FromProto, KeepsEveryFieldAndThePresenceOfZero) {
  const SubmitRequest request = SubmitRequestFromProto(FullRequest(), "caller");
  EXPECT_EQ(request.caller, "caller");
  EXPECT_EQ(request.request_id, "0B6F3C52-7a1e-4d0c-9a54-3f1f6a2d7e10");
  EXPECT_EQ(request.edit.prompt, "Night rain");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(request.edit.source));
  ASSERT_TRUE(request.inline_source.has_value());
  EXPECT_EQ(request.inline_source->data, std::string("\0\xFF", 2));
  EXPECT_EQ(request.inline_source->media_type, "video/mp4");
  EXPECT_EQ(request.edit.output_format, OutputFormat::kHdrExr720p);
  ASSERT_TRUE(request.edit.manual.has_value());
  EXPECT_EQ(request.edit.manual->strength, Strength::kFlex2);
  EXPECT_EQ(request.edit.manual->pose, Pose::kCoarse);
  EXPECT_EQ(request.edit.manual->depth_blur, 0.0);
  EXPECT_FALSE(request.edit.manual->normals_augmentation.has_value());
  EXPECT_FALSE(request.edit.manual->trajectory_sparsity.has_value());
  EXPECT_TRUE(request.edit.manual->face);
  EXPECT_EQ(request.edit.start_frame_url, "https://example.com/a.png");
  EXPECT_THAT(request.options.labels, ElementsAre(Pair("team", "a")));
  EXPECT_EQ(request.options.max_price_usd_micros, 0);
  EXPECT_EQ(request.options.declared_source_duration, absl::Milliseconds(4999));
  EXPECT_EQ(request.options.start_within, absl::Hours(1));
  EXPECT_TRUE(ValidateSubmit(request, {}).empty());
}

TEST(FromProto, UnsetStaysUnset) {
  const SubmitRequest request = SubmitRequestFromProto({}, "caller");
  EXPECT_FALSE(request.inline_source.has_value());
  EXPECT_FALSE(request.edit.manual.has_value());
  EXPECT_FALSE(request.options.max_price_usd_micros.has_value());
  EXPECT_FALSE(request.options.declared_source_duration.has_value());
  EXPECT_FALSE(request.options.start_within.has_value());
}

TEST(FromProto, AnEmptyManualIsNotAnUnsetOne) {
  v1::SubmitEditRequest message;
  message.mutable_edit()->mutable_manual();
  EXPECT_EQ(SubmitRequestFromProto(std::move(message), "").edit.manual, ManualConditioning{});
}

TEST(FromProto, AnInvalidDurationIsInfinite) {
  const auto convert = [](std::int64_t seconds, std::int32_t nanos) {
    google::protobuf::Duration duration;
    duration.set_seconds(seconds);
    duration.set_nanos(nanos);
    return DurationFromProto(duration);
  };
  EXPECT_EQ(convert(-1, -500'000'000), absl::Milliseconds(-1500));
  EXPECT_EQ(convert(1, -1), absl::InfiniteDuration());
  EXPECT_EQ(convert(-1, 1), -absl::InfiniteDuration());
  EXPECT_EQ(convert(0, 1'000'000'000), absl::InfiniteDuration());
  EXPECT_EQ(convert(315'576'000'001, 0), absl::InfiniteDuration());
  EXPECT_EQ(convert(std::numeric_limits<std::int64_t>::min(), 0), -absl::InfiniteDuration());
}

TEST(FromProto, AFilterNamesWhatIsWrongWithIt) {
  v1::ListJobsRequest message;
  message.add_states(v1::Job::STATE_HELD);
  message.add_states(v1::Job::STATE_UNSPECIFIED);
  (*message.mutable_labels())["Bad"] = "";
  message.mutable_created_after()->set_nanos(-1);
  message.mutable_created_before()->set_seconds(253'402'300'800);
  std::vector<Violation> violations;
  JobFilterFromProto(message, violations);
  std::vector<std::string> fields;
  for (const Violation& violation : violations) fields.push_back(violation.field);
  EXPECT_THAT(fields, ElementsAre("states", "labels", "created_after", "created_before"));
}

TEST(FromProto, AFilterKeepsItsFields) {
  v1::ListJobsRequest message;
  message.add_states(v1::Job::STATE_HELD);
  (*message.mutable_labels())["team"] = "a";
  message.mutable_created_after()->set_seconds(10);
  message.mutable_created_before()->set_seconds(20);
  std::vector<Violation> violations;
  const JobFilter filter = JobFilterFromProto(message, violations);
  EXPECT_TRUE(violations.empty());
  EXPECT_THAT(filter.states, ElementsAre(JobState::kHeld));
  EXPECT_THAT(filter.labels, ElementsAre(Pair("team", "a")));
  EXPECT_EQ(filter.created_after, absl::FromUnixSeconds(10));
  EXPECT_EQ(filter.created_before, absl::FromUnixSeconds(20));
}

JobSnapshot FullJob() {
  JobSnapshot snapshot;
  Job& job = snapshot.job;
  job.id = "id";
  job.caller = "cert:secret-caller";
  job.request_id = "request";
  job.state = JobState::kFailed;
  job.sequence = 4;
  job.unreachable = true;
  job.edit.prompt = "Night rain";
  StoredSource stored;
  stored.source_id = "source";
  stored.was_inline = true;
  job.edit.source = stored;
  job.edit.manual.emplace().depth_blur = 0.0;
  job.options.labels["team"] = "a";
  job.quote = {1, 2};
  job.charge = {ChargeState::kUncertain, {3, 4}};
  job.outcome = Outcome{"https://v", "https://t", "g", {"https://o"}, absl::FromUnixSeconds(9)};
  job.error = JobError{ErrorReason::kUpstreamFailed, "ours", "400", "theirs", true};
  job.upstream_id = "up";
  job.upstream_status = "failed";
  job.candidate_upstream_ids = {"c1", "c2"};
  job.create_time = absl::FromUnixMicros(-1);
  job.accept_time = absl::FromUnixSeconds(2);
  job.end_time = absl::FromUnixSeconds(3);
  job.cancel_request_time = absl::FromUnixSeconds(4);
  job.next_attempt_time = absl::FromUnixSeconds(5);
  job.late_outcome_time = absl::FromUnixSeconds(6);
  snapshot.live.last_poll_time = absl::FromUnixSeconds(7);
  snapshot.live.next_poll_time = absl::FromUnixSeconds(8);
  snapshot.live.jobs_ahead = 12;
  snapshot.live.stalled = true;
  snapshot.purge_time = absl::FromUnixSeconds(9);
  return snapshot;
}

TEST(ToProto, FillsEveryFieldOfAJob) {
  const v1::Job job = JobToProto(FullJob());
  // What a job can say is said: a field added to the message must be added to the conversion.
  for (int i = 0; i < v1::Job::descriptor()->field_count(); ++i) {
    const auto* field = v1::Job::descriptor()->field(i);
    const bool set = field->is_repeated() ? job.GetReflection()->FieldSize(job, field) > 0
                                          : job.GetReflection()->HasField(job, field);
    EXPECT_TRUE(set) << field->name();
  }
  EXPECT_EQ(job.state(), v1::Job::STATE_FAILED);
  EXPECT_EQ(job.edit().source_id(), "source");
  EXPECT_FALSE(job.edit().has_inline_());
  EXPECT_TRUE(job.edit().manual().has_depth_blur());
  EXPECT_FALSE(job.edit().manual().has_normals_augmentation());
  EXPECT_EQ(job.charge().state(), v1::Charge::STATE_UNCERTAIN);
  EXPECT_EQ(job.charge().amount().max_usd_micros(), 4);
  EXPECT_EQ(job.error().reason(), v1::ERROR_REASON_UPSTREAM_FAILED);
  EXPECT_EQ(job.create_time().seconds(), -1);
  EXPECT_EQ(job.create_time().nanos(), 999'999'000);
  EXPECT_EQ(job.jobs_ahead(), 12);
  EXPECT_THAT(job.candidate_upstream_ids(), ElementsAre("c1", "c2"));
  EXPECT_EQ(job.SerializeAsString().find("secret-caller"), std::string::npos);
}

TEST(ToProto, LeavesWhatIsUnsetUnset) {
  const v1::Job job = JobToProto({});
  EXPECT_FALSE(job.has_accept_time());
  EXPECT_FALSE(job.has_last_poll_time());
  EXPECT_FALSE(job.has_outcome());
  EXPECT_FALSE(job.has_error());
  EXPECT_FALSE(job.edit().has_manual());
}

TEST(ToProto, BytesThatAreNoTextDoNotSpoilTheMessage) {
  JobSnapshot snapshot = FullJob();
  snapshot.job.error->upstream_message = "cut \xE2\x82";
  snapshot.job.upstream_status = "\xFF";
  v1::Job parsed;
  ASSERT_TRUE(ParseMessage(SerializeMessage(JobToProto(snapshot)), parsed));
  EXPECT_EQ(parsed.error().upstream_message(), "cut ??");
}

TEST(ToProto, AnEditComesBackAsItWasAsked) {
  v1::SubmitEditRequest message = FullRequest();
  message.mutable_edit()->set_generation_id("g");
  const v1::Edit asked = message.edit();
  const SubmitRequest request = SubmitRequestFromProto(std::move(message), "");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(EditToProto(request.edit), asked));
}

Transition FinalTransition() {
  Transition transition;
  transition.sequence = 3;
  transition.previous_state = JobState::kProcessing;
  transition.state = JobState::kSucceeded;
  transition.record_time = absl::FromUnixSeconds(1);
  transition.not_before = absl::FromUnixSeconds(2);
  transition.not_after = absl::FromUnixSeconds(3);
  transition.upstream_status = "success";
  transition.charge = {ChargeState::kIncurred, {1, 1}};
  transition.outcome = Outcome{"https://v", "", "", {}, absl::FromUnixSeconds(3)};
  transition.error = JobError{ErrorReason::kUpstreamFailed, "x", "", "", false};
  transition.actor = "cert:a";
  return transition;
}

TEST(ToProto, FillsEveryFieldOfATransition) {
  const v1::Transition message = TransitionToProto(FinalTransition());
  const auto* descriptor = v1::Transition::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    EXPECT_TRUE(message.GetReflection()->HasField(message, descriptor->field(i)))
        << descriptor->field(i)->name();
  }
}

TEST(TransitionEncoder, MakesTheBytesOfAWatchResponse) {
  TransitionEncoder encoder;
  const auto frame = TransitionEncoder::Frame(encoder.Encode("id", FinalTransition()));
  v1::WatchJobResponse response;
  ASSERT_TRUE(ParseMessage(*frame, response));
  EXPECT_EQ(response.transition().sequence(), 3);
  EXPECT_EQ(response.transition().outcome().video_url(), "https://v");
}

TEST(MessageBytes, RefusesWhatIsNoMessage) {
  const auto parse = [](std::string_view bytes) {
    grpc::Slice slice(bytes.data(), bytes.size());
    v1::SubmitEditRequest message;
    return ParseMessage(grpc::ByteBuffer(&slice, 1), message);
  };
  EXPECT_TRUE(parse(""));
  EXPECT_FALSE(parse("\x0A\x05"));              // cut
  EXPECT_FALSE(parse("\x0A\x01\xFF"));          // request_id is not UTF-8
  EXPECT_FALSE(parse("\xFF\xFF\xFF\xFF\xFF"));  // no tag
  v1::SubmitEditRequest message;
  EXPECT_FALSE(ParseMessage(grpc::ByteBuffer(), message));
}

}  // namespace
}  // namespace lumaedit
