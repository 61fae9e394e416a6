#include "server/rpc/to_proto.h"

#include <algorithm>
#include <string>

#include "server/job/price_table.h"

namespace lumaedit {
namespace {

// Equal numbers are what the casts below rest on.
#define LUMAEDIT_SAME(value, proto) \
  static_assert(static_cast<int>(value) == static_cast<int>(proto))
LUMAEDIT_SAME(JobState::kPending, v1::Job::STATE_PENDING);
LUMAEDIT_SAME(JobState::kSubmitting, v1::Job::STATE_SUBMITTING);
LUMAEDIT_SAME(JobState::kUnconfirmed, v1::Job::STATE_UNCONFIRMED);
LUMAEDIT_SAME(JobState::kHeld, v1::Job::STATE_HELD);
LUMAEDIT_SAME(JobState::kQueued, v1::Job::STATE_QUEUED);
LUMAEDIT_SAME(JobState::kProcessing, v1::Job::STATE_PROCESSING);
LUMAEDIT_SAME(JobState::kSucceeded, v1::Job::STATE_SUCCEEDED);
LUMAEDIT_SAME(JobState::kFailed, v1::Job::STATE_FAILED);
LUMAEDIT_SAME(JobState::kCancelled, v1::Job::STATE_CANCELLED);
LUMAEDIT_SAME(JobState::kExpired, v1::Job::STATE_EXPIRED);
LUMAEDIT_SAME(ChargeState::kReserved, v1::Charge::STATE_RESERVED);
LUMAEDIT_SAME(ChargeState::kIncurred, v1::Charge::STATE_INCURRED);
LUMAEDIT_SAME(ChargeState::kReleased, v1::Charge::STATE_RELEASED);
LUMAEDIT_SAME(ChargeState::kUncertain, v1::Charge::STATE_UNCERTAIN);
LUMAEDIT_SAME(DurationBasis::kProbed, v1::QuoteEditResponse::DURATION_BASIS_PROBED);
LUMAEDIT_SAME(DurationBasis::kLineage, v1::QuoteEditResponse::DURATION_BASIS_LINEAGE);
LUMAEDIT_SAME(DurationBasis::kDeclared, v1::QuoteEditResponse::DURATION_BASIS_DECLARED);
LUMAEDIT_SAME(DurationBasis::kUnknown, v1::QuoteEditResponse::DURATION_BASIS_UNKNOWN);
LUMAEDIT_SAME(CancelResult::kPrevented, v1::CancelJobResponse::RESULT_PREVENTED);
LUMAEDIT_SAME(CancelResult::kRecordedMayBill, v1::CancelJobResponse::RESULT_RECORDED_MAY_BILL);
LUMAEDIT_SAME(CancelResult::kTooLate, v1::CancelJobResponse::RESULT_TOO_LATE);
LUMAEDIT_SAME(OutputFormat::kSdr540p, v1::OUTPUT_FORMAT_SDR_540P);
LUMAEDIT_SAME(OutputFormat::kSdr720p, v1::OUTPUT_FORMAT_SDR_720P);
LUMAEDIT_SAME(OutputFormat::kSdr1080p, v1::OUTPUT_FORMAT_SDR_1080P);
LUMAEDIT_SAME(OutputFormat::kHdr720p, v1::OUTPUT_FORMAT_HDR_720P);
LUMAEDIT_SAME(OutputFormat::kHdr1080p, v1::OUTPUT_FORMAT_HDR_1080P);
LUMAEDIT_SAME(OutputFormat::kHdrExr720p, v1::OUTPUT_FORMAT_HDR_EXR_720P);
LUMAEDIT_SAME(OutputFormat::kHdrExr1080p, v1::OUTPUT_FORMAT_HDR_EXR_1080P);
LUMAEDIT_SAME(Strength::kAdhere1, v1::ManualConditioning::STRENGTH_ADHERE_1);
LUMAEDIT_SAME(Strength::kReimagine3, v1::ManualConditioning::STRENGTH_REIMAGINE_3);
LUMAEDIT_SAME(Pose::kPrecise, v1::ManualConditioning::POSE_PRECISE);
LUMAEDIT_SAME(Pose::kCoarse, v1::ManualConditioning::POSE_COARSE);
#undef LUMAEDIT_SAME

std::string WellFormed(const std::string& text) {
  if (Utf8CodePoints(text)) return text;
  std::string out = text;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return out;
}

void PriceToProto(const PriceRange& price, v1::PriceRange* out) {
  out->set_min_usd_micros(price.min_usd_micros);
  out->set_max_usd_micros(price.max_usd_micros);
}

void ChargeToProto(const Charge& charge, v1::Charge* out) {
  out->set_state(static_cast<v1::Charge::State>(charge.state));
  PriceToProto(charge.amount, out->mutable_amount());
}

void OutcomeToProto(const Outcome& outcome, v1::Outcome* out) {
  out->set_video_url(WellFormed(outcome.video_url));
  out->set_thumbnail_url(WellFormed(outcome.thumbnail_url));
  out->set_generation_id(WellFormed(outcome.generation_id));
  for (const std::string& url : outcome.other_urls) out->add_other_urls(WellFormed(url));
  if (IsSet(outcome.read_time)) TimeToProto(outcome.read_time, out->mutable_read_time());
}

void ErrorToProto(const JobError& error, v1::JobError* out) {
  out->set_reason(static_cast<v1::ErrorReason>(error.reason));
  out->set_message(WellFormed(error.message));
  out->set_upstream_code(WellFormed(error.upstream_code));
  out->set_upstream_message(WellFormed(error.upstream_message));
  out->set_may_succeed_if_submitted_again(error.may_succeed_if_submitted_again);
}

}  // namespace

void TimeToProto(absl::Time time, google::protobuf::Timestamp* out) {
  const std::int64_t seconds = absl::ToUnixSeconds(time);  // rounds down
  out->set_seconds(seconds);
  out->set_nanos(
      static_cast<std::int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

void DurationToProto(absl::Duration duration, google::protobuf::Duration* out) {
  absl::Duration rest;
  out->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  out->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
}

v1::Edit EditToProto(const Edit& edit) {
  v1::Edit out;
  out.set_prompt(edit.prompt);
  if (const auto* generation = std::get_if<GenerationSource>(&edit.source)) {
    out.set_generation_id(generation->generation_id);
  } else if (const auto* job = std::get_if<JobSource>(&edit.source)) {
    out.set_source_job_id(job->job_id);
  } else if (const auto* stored = std::get_if<StoredSource>(&edit.source)) {
    out.set_source_id(stored->source_id);
  }
  out.set_output_format(static_cast<v1::OutputFormat>(edit.output_format));
  if (edit.manual) {
    const ManualConditioning& manual = *edit.manual;
    v1::ManualConditioning* to = out.mutable_manual();
    to->set_strength(static_cast<v1::ManualConditioning::Strength>(manual.strength));
    to->set_pose(static_cast<v1::ManualConditioning::Pose>(manual.pose));
    if (manual.depth_blur) to->set_depth_blur(*manual.depth_blur);
    if (manual.normals_augmentation) to->set_normals_augmentation(*manual.normals_augmentation);
    if (manual.trajectory_sparsity) to->set_trajectory_sparsity(*manual.trajectory_sparsity);
    to->set_face(manual.face);
  }
  out.set_start_frame_url(edit.start_frame_url);
  return out;
}

v1::Job JobToProto(const JobSnapshot& snapshot) {
  const Job& job = snapshot.job;
  v1::Job out;
  out.set_id(job.id);
  out.set_state(static_cast<v1::Job::State>(job.state));
  out.set_sequence(job.sequence);
  *out.mutable_edit() = EditToProto(job.edit);
  if (job.outcome) OutcomeToProto(*job.outcome, out.mutable_outcome());
  if (job.error) ErrorToProto(*job.error, out.mutable_error());
  PriceToProto(job.quote, out.mutable_quote());
  ChargeToProto(job.charge, out.mutable_charge());
  for (const auto& [key, value] : job.options.labels) (*out.mutable_labels())[key] = value;
  out.set_request_id(job.request_id);
  out.set_upstream_id(WellFormed(job.upstream_id));
  out.set_upstream_status(WellFormed(job.upstream_status));
  out.set_stalled(job.stalled || snapshot.live.stalled);
  const auto set_time = [](absl::Time time, auto mutable_field) {
    if (IsSet(time)) TimeToProto(time, mutable_field());
  };
  set_time(job.create_time, [&] { return out.mutable_create_time(); });
  set_time(job.accept_time, [&] { return out.mutable_accept_time(); });
  set_time(job.end_time, [&] { return out.mutable_end_time(); });
  set_time(job.cancel_request_time, [&] { return out.mutable_cancel_request_time(); });
  // A pause of dispatch may put off what the job's own refusal asked for.
  set_time(std::max(job.next_attempt_time, snapshot.live.next_attempt_time),
           [&] { return out.mutable_next_attempt_time(); });
  set_time(snapshot.live.last_poll_time, [&] { return out.mutable_last_poll_time(); });
  set_time(snapshot.live.next_poll_time, [&] { return out.mutable_next_poll_time(); });
  set_time(job.late_outcome_time, [&] { return out.mutable_late_outcome_time(); });
  set_time(snapshot.purge_time, [&] { return out.mutable_purge_time(); });
  for (const std::string& id : job.candidate_upstream_ids) {
    out.add_candidate_upstream_ids(WellFormed(id));
  }
  out.set_jobs_ahead(snapshot.live.jobs_ahead);
  out.set_unreachable(job.unreachable);
  return out;
}

v1::Transition TransitionToProto(const Transition& transition) {
  v1::Transition out;
  out.set_sequence(transition.sequence);
  if (transition.previous_state) {
    out.set_previous_state(static_cast<v1::Job::State>(*transition.previous_state));
  }
  out.set_state(static_cast<v1::Job::State>(transition.state));
  if (IsSet(transition.record_time)) {
    TimeToProto(transition.record_time, out.mutable_record_time());
  }
  if (IsSet(transition.not_before)) TimeToProto(transition.not_before, out.mutable_not_before());
  if (IsSet(transition.not_after)) TimeToProto(transition.not_after, out.mutable_not_after());
  out.set_upstream_status(WellFormed(transition.upstream_status));
  ChargeToProto(transition.charge, out.mutable_charge());
  if (transition.outcome) OutcomeToProto(*transition.outcome, out.mutable_outcome());
  if (transition.error) ErrorToProto(*transition.error, out.mutable_error());
  out.set_actor(WellFormed(transition.actor));
  return out;
}

v1::Heartbeat HeartbeatToProto(const LiveInfo& live) {
  v1::Heartbeat out;
  if (IsSet(live.last_poll_time)) TimeToProto(live.last_poll_time, out.mutable_last_poll_time());
  if (IsSet(live.next_poll_time)) TimeToProto(live.next_poll_time, out.mutable_next_poll_time());
  out.set_stalled(live.stalled);
  return out;
}

v1::QuoteEditResponse QuoteToProto(const Quote& quote) {
  v1::QuoteEditResponse out;
  PriceToProto(quote.price, out.mutable_price());
  out.set_price_table_version(std::string(kPriceTableVersion));
  out.set_block_price_usd_micros(quote.block_price_usd_micros);
  out.set_min_blocks(quote.min_blocks);
  out.set_max_blocks(quote.max_blocks);
  out.set_duration_basis(static_cast<v1::QuoteEditResponse::DurationBasis>(quote.length.basis));
  if (quote.length.duration) {
    DurationToProto(*quote.length.duration, out.mutable_source_duration());
  }
  out.set_near_block_border(quote.near_block_border);
  return out;
}

v1::Budget BudgetToProto(const BudgetStatement& statement) {
  v1::Budget out;
  if (statement.limit_usd_micros) out.set_limit_usd_micros(*statement.limit_usd_micros);
  out.set_reserved_usd_micros(statement.used.reserved_usd_micros);
  out.set_incurred_usd_micros(statement.used.incurred_usd_micros);
  out.set_uncertain_usd_micros(statement.used.uncertain_usd_micros);
  TimeToProto(statement.period.start, out.mutable_window_start_time());
  TimeToProto(statement.period.end, out.mutable_window_end_time());
  return out;
}

v1::CancelJobResponse CancelToProto(const CancelAnswer& answer) {
  v1::CancelJobResponse out;
  out.set_result(static_cast<v1::CancelJobResponse::Result>(answer.result));
  *out.mutable_job() = JobToProto(answer.job);
  return out;
}

v1::Source SourceToProto(const SourceInfo& info) {
  v1::Source out;
  out.set_id(info.id);
  switch (info.state) {
    case SourceInfo::State::kUploading:
      out.set_state(v1::Source::STATE_UPLOADING);
      break;
    case SourceInfo::State::kReady:
      out.set_state(info.IsUsable() ? v1::Source::STATE_READY : v1::Source::STATE_UPLOADING);
      break;
    case SourceInfo::State::kRejected:
      out.set_state(v1::Source::STATE_REJECTED);
      out.set_rejection(static_cast<v1::ErrorReason>(info.rejection));
      break;
  }
  out.set_received_bytes(info.received_bytes);
  out.set_size_bytes(info.size_bytes);
  if (info.IsUsable()) DurationToProto(info.duration, out.mutable_duration());
  TimeToProto(info.expire_time, out.mutable_expire_time());
  return out;
}

}  // namespace lumaedit
