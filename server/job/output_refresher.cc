#include "server/job/output_refresher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/job/error.h"
#include "server/job/late_outcome_rule.h"
#include "server/job/read_error.h"
#include "server/job/state_rules.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kInterval = absl::Minutes(1);

// Those who wait for another's read look again then.
constexpr absl::Duration kLongestLook = absl::Minutes(2);

// Callers wait thirty seconds for all of it: who would wait longer than this for the first turn is
// told so.
constexpr absl::Duration kLongestTurn = absl::Seconds(10);

absl::Status CheckAccepted(const Job& job) {
  if (IsFinal(job.state) && !job.upstream_id.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, ErrorReason::kNotAccepted,
                   IsFinal(job.state) ? "the upstream is not known to have accepted the job"
                                      : "the job is not final; its outcome comes by itself");
}

}  // namespace

// Ends a look however the coroutine ends, and wakes who waits for it.
class OutputRefresher::Turn {
 public:
  Turn(OutputRefresher& refresher, std::shared_ptr<Look> look)
      : refresher_(refresher), look_(std::move(look)) {}
  ~Turn() {
    look_->asking = false;
    look_->time = refresher_.context_.clock().Uptime();
    for (const auto& waiting : std::exchange(look_->waiting, {})) waiting->Notify();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  OutputRefresher& refresher_;
  const std::shared_ptr<Look> look_;
};

OutputRefresher::OutputRefresher(EngineContext& context, Poller& poller)
    : context_(context), poller_(poller) {}

asio::awaitable<absl::StatusOr<Job>> OutputRefresher::Run(std::string caller, std::string job_id) {
  for (;;) {
    auto job = co_await Own(caller, job_id);
    if (!job.ok()) co_return job.status();
    if (absl::Status accepted = CheckAccepted(*job); !accepted.ok()) co_return accepted;
    Forget();
    const auto known = looks_.find(job_id);
    if (known == looks_.end()) {
      const auto look = std::make_shared<Look>();
      looks_[job_id] = look;
      const Turn turn(*this, look);
      co_return co_await Ask(*job, *look);
    }
    const std::shared_ptr<Look> look = known->second;
    if (!look->asking) {
      if (look->failure != ReadFailure::kNone) co_return ErrorOf(*look);
      co_return std::move(*job);
    }
    const auto waiting = std::make_shared<Signal>(context_.deps().executor, context_.clock());
    look->waiting.push_back(waiting);
    co_await waiting->WaitFor(kLongestLook);
  }
}

asio::awaitable<absl::StatusOr<Job>> OutputRefresher::Own(const std::string& caller,
                                                          const std::string& job_id) {
  co_return co_await Offload(context_.deps().store_worker, [this, &caller, &job_id] {
    return context_.deps().store.Get(caller, job_id);
  });
}

asio::awaitable<absl::StatusOr<Job>> OutputRefresher::Ask(const Job& job, Look& look) {
  const std::string job_id = job.id;
  if (const absl::Duration turn = poller_.TurnIn(); turn > kLongestTurn) {
    looks_.erase(job_id);
    co_return UpstreamUnavailable("too many reads wait for their turn", turn);
  }
  if (!co_await poller_.AwaitTurn(Poller::ReadFor::kFinalJob)) {
    looks_.erase(job_id);
    ErrorDetail detail;
    detail.reason = ErrorReason::kDraining;
    detail.retry_after = absl::Seconds(1);
    co_return MakeError(absl::StatusCode::kUnavailable, std::move(detail),
                        "this process is stopping; send the call again");
  }
  const Accounts::Reader reader = context_.accounts().ReaderFor(job.upstream_account);
  // A key that is not learned may be of the same account: what it reads shows it.
  if (!reader.same_account && Accounts::IsLearned(context_.accounts().Canonical(reader.key))) {
    look.failure = ReadFailure::kOther;
    co_return UpstreamUnavailable(
        "the job belongs to another upstream account, which the present key cannot ask", kInterval);
  }
  Poller::RecordRead read =
      co_await poller_.Read(reader, job.upstream_id, Poller::ReadFor::kFinalJob);
  if (read.key_changed) {
    // Nothing of it counts, so it must not stand for the answer of this minute.
    looks_.erase(job_id);
    co_return UpstreamUnavailable("the upstream key was changed meanwhile", absl::Seconds(1));
  }
  const GetResult& answer = read.answer;
  std::optional<UpstreamRecord>& record = read.record;
  if (!record || record->id != job.upstream_id) {
    look.failure = answer.failure == ReadFailure::kNone ? ReadFailure::kUnreadable : answer.failure;
    look.http_status = answer.http_status;
    look.retry_after = answer.retry_after;
    look.time = context_.clock().Uptime();
    if (answer.failure == ReadFailure::kKeyRefused) {
      context_.log().Error("upstream_key_refused",
                           {{"job", job_id}, {"http_status", answer.http_status}});
    }
    co_return ErrorOf(look);
  }
  const absl::Time now = context_.clock().Now();
  const EngineContext::OwnedDecide decide = [now,
                                             record = *std::move(record)](const JobView& view) {
    return DecideLateOutcome(view.job, record, now);
  };
  auto change = co_await Offload(context_.deps().store_worker, [this, &job_id, &decide] {
    return context_.deps().store.Update(job_id, nullptr, decide);
  });
  if (!change.ok()) {
    // Nothing was kept of it, so it must not stand for the answer of this minute.
    looks_.erase(job_id);
    co_return change.status();
  }
  context_.Committed(*change);
  co_return std::move(change->job);
}

absl::Status OutputRefresher::ErrorOf(const Look& look) const {
  const absl::Duration wait =
      look.time + std::max(kInterval, look.retry_after) - context_.clock().Uptime();
  return ReadError(look.failure, look.http_status, std::max(wait, absl::Seconds(1)));
}

void OutputRefresher::Forget() {
  const absl::Duration now = context_.clock().Uptime();
  for (auto it = looks_.begin(); it != looks_.end();) {
    const Look& look = *it->second;
    const bool over = !look.asking && now - look.time >= std::max(kInterval, look.retry_after);
    it = over ? looks_.erase(it) : std::next(it);
  }
}

}  // namespace lumaedit
