#include "server/job/resolver.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/job/error.h"
#include "server/job/fit_rules.h"
#include "server/job/read_error.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// When it is worth asking again: about the pace of polls.
constexpr absl::Duration kUsualWait = absl::Seconds(10);

absl::Status OtherAccount() {
  return UpstreamUnavailable(
      "the job was sent under another upstream account, which the present key cannot ask about; "
      "who runs the gateway can name that key with --gmi-previous-api-key-file",
      kUsualWait);
}

absl::Status IdOwned() {
  return MakeError(absl::StatusCode::kAlreadyExists, ErrorReason::kUpstreamIdOwned,
                   "another job owns this upstream id");
}

}  // namespace

Resolver::Resolver(EngineContext& context, Reconciler& reconciler)
    : context_(context), reconciler_(reconciler) {}

asio::awaitable<absl::StatusOr<Job>> Resolver::Run(ResolveRequest request) {
  const Resolution& resolution = request.resolution;
  auto view = co_await OwnView(request);
  if (!view.ok()) co_return view.status();
  // Judged before the upstream is asked, which costs time and reads; and again where it is written.
  if (absl::Status may = CheckResolution(view->job, resolution); !may.ok()) co_return may;
  if (view->attempts.empty() ||
      !context_.accounts().ReaderFor(view->attempts.back().account).same_account) {
    co_return OtherAccount();
  }
  auto owned = co_await OwnedOf(*view, resolution);
  if (!owned.ok()) co_return owned.status();
  const bool is_owned = std::any_of(owned->begin(), owned->end(), [&](const OwnedId& id) {
    return id.upstream_id == resolution.adopt_upstream_id;
  });
  if (!resolution.abandons() && is_owned) co_return IdOwned();
  const ResolveInput input{.now = context_.clock().Now(), .distrust_accepted = !owned->empty()};

  EngineContext::OwnedDecide decide;
  if (resolution.abandons()) {
    if (absl::Status nothing = co_await CheckNothingFits(*view); !nothing.ok()) co_return nothing;
    decide = [resolution, input](const JobView& now) {
      return DecideAbandonment(now, resolution, input);
    };
  } else {
    auto read = co_await ReadCandidate(resolution.adopt_upstream_id, view->attempts.back());
    if (!read.ok()) co_return read.status();
    const HandBinding by_hand =
        HandBindingFor(read->record, read->echo_seen, view->attempts.back());
    decide = [resolution, input, by_hand, record = std::move(read->record)](const JobView& now) {
      return DecideAdoption(now, resolution, record, by_hand, input);
    };
  }
  co_return co_await Write(request, std::move(decide));
}

asio::awaitable<absl::StatusOr<JobView>> Resolver::OwnView(const ResolveRequest& request) {
  co_return co_await Offload(context_.deps().store_worker,
                             [this, &request]() -> absl::StatusOr<JobView> {
                               // The caller's right to the job is judged first, so that a foreign
                               // id reads as a missing one.
                               auto own = context_.deps().store.Get(request.caller, request.job_id);
                               if (!own.ok()) return own.status();
                               return context_.deps().store.View(request.job_id);
                             });
}

asio::awaitable<absl::StatusOr<std::vector<OwnedId>>> Resolver::OwnedOf(
    const JobView& view, const Resolution& resolution) {
  std::vector<std::string> named;
  if (!resolution.abandons()) named.push_back(resolution.adopt_upstream_id);
  for (const Attempt& attempt : view.attempts) {
    for (const Fact& fact : attempt.facts) {
      if (fact.kind == FactKind::kAccepted) named.push_back(fact.upstream_id);
    }
  }
  co_return co_await Offload(context_.deps().store_worker,
                             [this, &named] { return context_.deps().store.OwnedIds(named); });
}

asio::awaitable<absl::StatusOr<Resolver::Read>> Resolver::ReadCandidate(std::string upstream_id,
                                                                        const Attempt& attempt) {
  const Accounts::Reader reader = context_.accounts().ReaderFor(attempt.account);
  GetResult answer = co_await reader.upstream.Get(upstream_id);
  context_.LearnDate(answer.upstream_date);
  if (!context_.accounts().IsKeyOf(answer.key, attempt.account)) co_return OtherAccount();
  const bool by_id = answer.failure == ReadFailure::kNone && answer.record.id == upstream_id;
  if (answer.failure == ReadFailure::kKeyRefused) {
    context_.log().Error("upstream_key_refused", {{"http_status", answer.http_status}});
  }
  if (!by_id && answer.failure != ReadFailure::kNotFound) {
    const ReadFailure failure =
        answer.failure == ReadFailure::kNone ? ReadFailure::kUnreadable : answer.failure;
    co_return ReadError(failure, answer.http_status, std::max(answer.retry_after, kUsualWait));
  }
  // The list shows the echo, and also records that are 404 by id.
  const Window window =
      WidestWindowOf(attempt, context_.upstream_time(), context_.settings().reconcile);
  const Pass pass = co_await reconciler_.ReadList(attempt.account, window.from);
  const auto listed =
      std::find_if(pass.unowned.begin(), pass.unowned.end(),
                   [&](const UpstreamRecord& record) { return record.id == upstream_id; });
  Read read;
  if (listed != pass.unowned.end()) {
    read.record = *listed;
    read.echo_seen = true;
  }
  if (by_id) {
    // The newer word, and an outcome that a list may leave out.
    UpstreamRecord fresh = std::move(answer.record);
    fresh.echo = read.record.echo;
    fresh.echo_is_empty = read.record.echo_is_empty;
    read.record = std::move(fresh);
  } else if (listed == pass.unowned.end()) {
    if (pass.failed) {
      co_return UpstreamUnavailable("the upstream's list cannot be read now", kUsualWait);
    }
    co_return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kNotACandidate,
                        "the upstream shows no such record any more");
  }
  if (read.record.outcome) read.record.outcome->read_time = context_.clock().Now();
  co_return read;
}

asio::awaitable<absl::Status> Resolver::CheckNothingFits(const JobView& view) {
  const ReconcileSettings& settings = context_.settings().reconcile;
  const Attempt& attempt = view.attempts.back();
  const Window window = WidestWindowOf(attempt, context_.upstream_time(), settings);
  const Pass pass = co_await reconciler_.ReadList(attempt.account, window.from);
  const std::vector<UnboundAttempt> no_rivals;
  const std::vector<std::string> fitting =
      FindRecord(pass, attempt, no_rivals, context_.upstream_time(), settings).candidate_ids;
  if (!fitting.empty()) {
    // The search may now end the hold by itself, or show the candidates.
    reconciler_.LookNow(view.job.id);
    ErrorDetail detail;
    detail.reason = ErrorReason::kRecordFound;
    detail.metadata["candidate_upstream_ids"] = absl::StrJoin(fitting, ",");
    co_return MakeError(
        absl::StatusCode::kFailedPrecondition, std::move(detail),
        "the upstream's list has a record that fits the job: look at its candidates again");
  }
  // A list that is too long to be read back to an old job does not keep it for ever; one that could
  // not be read is asked again.
  if (pass.failed) {
    co_return UpstreamUnavailable("the upstream's list cannot be read now", kUsualWait);
  }
  co_return absl::OkStatus();
}

asio::awaitable<absl::StatusOr<Job>> Resolver::Write(const ResolveRequest& request,
                                                     EngineContext::OwnedDecide decide) {
  auto change = co_await Offload(context_.deps().store_worker, [this, &request, &decide] {
    return context_.deps().store.Update(request.job_id, nullptr, decide);
  });
  if (absl::IsAlreadyExists(change.status())) {
    co_return IdOwned();
  }
  if (!change.ok()) co_return change.status();
  const Resolution& resolution = request.resolution;
  context_.log().Info("job_resolved", {{"job", request.job_id},
                                       {"actor", resolution.actor},
                                       {"resolution", resolution.abandons() ? "abandon" : "adopt"},
                                       {"upstream_id", resolution.adopt_upstream_id},
                                       {"note", request.note}});
  context_.Committed(*change);
  co_return std::move(change->job);
}

}  // namespace lumaedit
