#include "client/cli/printer.h"

#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/job_state.h"

namespace lumaedit::client::cli {
namespace {

std::string Row(absl::string_view name, absl::string_view value) {
  return absl::StrFormat("%-14s %s", name, value);
}

std::string LabelsText(const v1::Job& job) {
  std::vector<std::string> labels;
  for (const auto& [key, value] : job.labels()) {
    labels.push_back(absl::StrCat(Clean(key), "=", Clean(value)));
  }
  std::sort(labels.begin(), labels.end());  // a map has no order, and output must be stable
  return absl::StrJoin(labels, " ");
}

// What is worth saying of an outcome, in the order of its worth.
std::vector<std::pair<std::string, std::string>> OutcomeRows(const v1::Outcome& outcome) {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto add = [&rows](std::string name, const std::string& value) {
    if (!value.empty()) rows.emplace_back(std::move(name), Clean(value));
  };
  add("video", outcome.video_url());
  add("generation", outcome.generation_id());
  add("thumbnail", outcome.thumbnail_url());
  for (const std::string& url : outcome.other_urls()) add("file", url);
  return rows;
}

std::string JobErrorText(const v1::JobError& error) {
  std::string text = ReasonName(error.reason());
  if (!error.message().empty()) absl::StrAppend(&text, ": ", Clean(error.message()));
  if (!error.upstream_message().empty() || !error.upstream_code().empty()) {
    absl::StrAppend(&text, " (upstream: ", Clean(error.upstream_code()),
                    error.upstream_code().empty() || error.upstream_message().empty() ? "" : " ",
                    Clean(error.upstream_message()), ")");
  }
  if (error.may_succeed_if_submitted_again()) {
    absl::StrAppend(&text, "; a new submission may succeed");
  }
  return text;
}

std::string StateText(const v1::Job& job) {
  std::string text(StateName(job.state()));
  if (job.jobs_ahead() > 0) absl::StrAppend(&text, ", ", job.jobs_ahead(), " jobs ahead");
  if (job.stalled()) absl::StrAppend(&text, ", stalled at the upstream");
  if (!job.upstream_status().empty() && !IsFinal(job.state())) {
    absl::StrAppend(&text, " (upstream: ", Clean(job.upstream_status()), ")");
  }
  return text;
}

}  // namespace

Printer::Printer(std::ostream& out, std::ostream& err, bool json, LiveLine* live)
    : out_(out), err_(err), json_(json), live_(live) {}

void Printer::Line(const std::string& text) {
  const LiveLine::Pause pause(live_);
  out_ << text << "\n";
  out_.flush();  // a reader of a pipe wants each line when it happens
}

void Printer::PrintJob(const v1::Job& job) {
  if (json_) {
    Line(ToJson(job));
    return;
  }
  Line(Row("job", Clean(job.id())));
  Line(Row("state", StateText(job)));
  Line(Row("quote", Price(job.quote())));
  Line(Row("charge", ChargeText(job.charge())));
  if (!job.labels().empty()) Line(Row("labels", LabelsText(job)));
  Line(Row("request id", Clean(job.request_id())));
  if (!job.upstream_id().empty()) Line(Row("upstream id", Clean(job.upstream_id())));
  Line(Row("created", TimeText(job.create_time())));
  if (job.has_accept_time()) Line(Row("accepted", TimeText(job.accept_time())));
  if (job.has_cancel_request_time()) {
    Line(Row("cancel asked", TimeText(job.cancel_request_time())));
  }
  if (job.has_next_attempt_time()) Line(Row("next attempt", TimeText(job.next_attempt_time())));
  if (job.has_end_time()) Line(Row("ended", TimeText(job.end_time())));
  if (job.has_late_outcome_time()) {
    Line(Row("outcome came", TimeText(job.late_outcome_time())));
  }
  for (const std::string& id : job.candidate_upstream_ids()) Line(Row("candidate", Clean(id)));
  if (job.has_outcome()) PrintOutcome(job.outcome());
  if (job.has_error()) PrintJobError(job.error());
}

void Printer::PrintListed(const v1::Job& job) {
  if (json_) {
    Line(ToJson(job));
    return;
  }
  Line(std::string(absl::StripTrailingAsciiWhitespace(absl::StrFormat(
      "%-36s  %-11s  %s  %-20s  %s%s", Clean(job.id()), StateName(job.state()),
      TimeText(job.create_time()), ChargeText(job.charge()),
      job.state() == v1::Job::STATE_HELD ? CandidatesText(job) + "  " : "", LabelsText(job)))));
}

void Printer::PrintTransition(const std::string& job_id, const v1::Transition& transition) {
  if (json_) {
    Line(TransitionJson(job_id, transition));
    return;
  }
  Line(TransitionLine(transition, live_ == nullptr));
  if (live_ == nullptr) return;
  if (transition.has_outcome()) PrintOutcome(transition.outcome());
  if (transition.has_error()) PrintJobError(transition.error());
}

void Printer::PrintTransitionOf(const std::string& job_id, const v1::Transition& transition) {
  Line(json_ ? TransitionJson(job_id, transition)
             : absl::StrCat(Clean(job_id), "  ", TransitionLine(transition, /*full=*/true)));
}

void Printer::PrintOutcome(const v1::Outcome& outcome) {
  for (const auto& [name, value] : OutcomeRows(outcome)) Line(Row(name, value));
}

void Printer::PrintJobError(const v1::JobError& error) { Line(Row("error", JobErrorText(error))); }

void Printer::PrintCancel(const v1::CancelJobResponse& response) {
  if (json_) {
    Line(ToJson(response));
    return;
  }
  switch (response.result()) {
    case v1::CancelJobResponse::RESULT_PREVENTED:
      Line("Cancelled before it was sent: nothing is billed.");
      break;
    case v1::CancelJobResponse::RESULT_RECORDED_MAY_BILL:
      Line("Cancel recorded. The job was sent already: it may run to its end, and may be billed.");
      break;
    case v1::CancelJobResponse::RESULT_TOO_LATE:
      Line("Too late: the job is over.");
      break;
    default:
      Line("The gateway gave an answer that this version does not know.");
      break;
  }
  PrintJob(response.job());
}

void Printer::PrintMessage(const google::protobuf::Message& message,
                           const std::vector<std::string>& lines) {
  if (json_) {
    Line(ToJson(message));
  } else {
    PrintLines(lines);
  }
}

void Printer::PrintLines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) Line(line);
}

void Printer::PrintError(const ClientError& error) {
  const LiveLine::Pause pause(live_);
  if (json_) {
    err_ << ErrorJson(error) << "\n";
    return;
  }
  err_ << "luma-edit: " << Clean(error.ToString()) << "\n";
  for (const FieldViolation& violation : error.violations) {
    err_ << "  " << Clean(violation.field) << ": " << Clean(violation.description) << "\n";
  }
  for (const auto& [key, value] : error.metadata) {
    err_ << "  " << Clean(key) << " = " << Clean(value) << "\n";
  }
  if (error.retry_after.has_value()) {
    err_ << "  try again after " << absl::FormatDuration(*error.retry_after) << "\n";
  }
}

void Printer::Note(const std::string& text) {
  if (json_) return;
  const LiveLine::Pause pause(live_);
  err_ << "luma-edit: " << Clean(text) << "\n";
}

bool Printer::FlushOk() {
  out_.flush();
  return out_.good();
}

std::string TransitionLine(const v1::Transition& transition, bool full) {
  std::string line = absl::StrFormat("%s  %2d  %-11s", TimeText(transition.record_time()),
                                     transition.sequence(), StateName(transition.state()));
  if (transition.has_charge()) absl::StrAppend(&line, "  ", ChargeText(transition.charge()));
  if (!transition.upstream_status().empty()) {
    absl::StrAppend(&line, "  upstream=", Clean(transition.upstream_status()));
  }
  if (!transition.actor().empty()) absl::StrAppend(&line, "  by=", Clean(transition.actor()));
  if (full && transition.has_outcome()) {
    for (const auto& [name, value] : OutcomeRows(transition.outcome())) {
      absl::StrAppend(&line, "  ", name, "=", value);
    }
  }
  if (full && transition.has_error()) {
    absl::StrAppend(&line, "  error=", JobErrorText(transition.error()));
  }
  return std::string(absl::StripTrailingAsciiWhitespace(line));
}

}  // namespace lumaedit::client::cli
