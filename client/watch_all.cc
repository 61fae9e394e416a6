#include "client/watch_all.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "client/client.h"
#include "client/durations.h"
#include "client/job_sequences.h"
#include "client/job_state.h"
#include "client/stream_loop.h"

namespace lumaedit::client {
namespace {

constexpr int kPage = 500;  // the most that ListJobs gives

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

// The token names nothing any more: the jobs must be listed.
bool IsTokenLost(const ClientError& error) {
  return error.reason == v1::ERROR_REASON_TOKEN_TOO_OLD ||
         error.reason == v1::ERROR_REASON_TOKEN_FROM_OTHER_STORE;
}

class WatchAll {
 public:
  WatchAll(Client& client, std::shared_ptr<Connection> connection, absl::Duration connect_timeout,
           const JobTransitionCallback& callback, const WatchAllOptions& options)
      : client_(client),
        callback_(callback),
        options_(options),
        loop_(std::move(connection), LimitsOf(options, connect_timeout)),
        sequences_(options.final_jobs_kept),
        token_(options.resume_token) {}

  Result<WatchAllEnd> Run();

 private:
  // What follows answers with the error that ends the watch; unset: go on, or stopped_ is set.
  using Ended = std::optional<ClientError>;

  // Lists the jobs until that has succeeded.
  Ended List();
  // One try. An error that is not permanent is worth another.
  Ended ListOnce();
  Ended ListIds();
  Ended TakeListed(const v1::Job& job);
  // Delivers what lies between the last sequence known and `until`.
  Ended Fill(const std::string& job_id, std::int32_t known, std::int32_t until);
  Ended Stream();

  Result<Taken> Take(const v1::WatchJobsResponse& message);
  // False: a callback stopped the watch before this transition was delivered.
  Result<bool> TakeTransition(const std::string& job_id, const v1::Transition& transition);
  void Deliver(const std::string& job_id, const v1::Transition& transition);
  void MoveTo(const std::string& token);

  std::optional<std::int32_t> KnownOf(const v1::Job& job) const;
  CallOptions ForCall() const;

  Client& client_;
  const JobTransitionCallback& callback_;
  const WatchAllOptions& options_;
  StreamLoop loop_;
  JobSequences sequences_;
  std::string token_;
  std::string lost_token_;  // names nothing any more, and no other has come since
  bool stopped_ = false;    // by a callback
  int lists_ = 0;
};

Result<WatchAllEnd> WatchAll::Run() {
  if (auto stopped = loop_.Stopped()) return *stopped;
  while (!stopped_) {
    if (token_.empty()) {
      if (auto ended = List()) return *ended;
      continue;
    }
    auto ended = Stream();
    if (!ended.has_value()) continue;
    if (!IsTokenLost(*ended)) return *ended;
    lost_token_ = std::exchange(token_, "");
    // A gateway that loses each token at once is asked at the pace of its other failures.
    if (auto over = loop_.WaitAfter(*ended)) return *over;
  }
  WatchAllEnd end;
  // Stopped amid the list that a lost token led to: the next watch is led there by it too.
  end.resume_token = token_.empty() ? lost_token_ : token_;
  end.resumes = loop_.resumes();
  end.lists = lists_;
  return end;
}

WatchAll::Ended WatchAll::List() {
  for (;;) {
    auto ended = ListOnce();
    if (stopped_ || !ended.has_value()) return std::nullopt;
    if (auto stopped = loop_.Stopped()) return stopped;
    if (IsPermanent(*ended)) return ended;
    if (auto over = loop_.WaitAfter(*ended)) return over;
  }
}

WatchAll::Ended WatchAll::ListOnce() {
  v1::ListJobsRequest request;
  request.mutable_labels()->insert(options_.labels.begin(), options_.labels.end());
  // Of named jobs the list gives the token only.
  request.set_page_size(options_.job_ids.empty() ? kPage : 1);
  std::string token;
  sequences_.BeginList();
  do {
    const Result<v1::ListJobsResponse> page = client_.List(request, ForCall());
    if (!page.ok()) return page.error();
    loop_.Heard();
    // The first page's: what happens while the others are read is told by the stream.
    if (token.empty()) token = page->watch_token();
    if (!options_.job_ids.empty()) {
      if (auto ended = ListIds()) return ended;
      break;
    }
    for (const v1::Job& job : page->jobs()) {
      auto ended = TakeListed(job);
      if (stopped_ || ended.has_value()) return ended;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  if (stopped_) return std::nullopt;
  sequences_.EndList();
  ++lists_;
  MoveTo(token);
  return std::nullopt;
}

WatchAll::Ended WatchAll::ListIds() {
  for (const std::string& job_id : options_.job_ids) {
    const Result<v1::Job> job = client_.Get(job_id, ForCall());
    if (!job.ok() && job.error().code == absl::StatusCode::kNotFound) continue;
    if (!job.ok()) return job.error();
    loop_.Heard();
    auto ended = TakeListed(*job);
    if (stopped_ || ended.has_value()) return ended;
  }
  return std::nullopt;
}

WatchAll::Ended WatchAll::TakeListed(const v1::Job& job) {
  if (options_.on_listed && options_.on_listed(job) == WatchStep::kStop) {
    stopped_ = true;
    return std::nullopt;
  }
  const std::optional<std::int32_t> known = KnownOf(job);
  if (!known.has_value()) return std::nullopt;
  if (*known < job.sequence()) return Fill(job.id(), *known, job.sequence());
  if (IsFinal(job.state())) {
    sequences_.SetFinal(job.id(), *known, ToTime(job.end_time()));
  } else {
    sequences_.Set(job.id(), *known);
  }
  return std::nullopt;
}

// Unset: the job was delivered to its end, and forgotten.
std::optional<std::int32_t> WatchAll::KnownOf(const v1::Job& job) const {
  if (const auto last = sequences_.Last(job.id())) return last;
  if (IsFinal(job.state()) && ToTime(job.end_time()) <= sequences_.forgotten_before_list()) {
    return std::nullopt;
  }
  if (options_.known_sequence) return options_.known_sequence(job);
  const bool first = lists_ == 0 && options_.resume_token.empty();
  return first ? job.sequence() : 0;
}

WatchAll::Ended WatchAll::Fill(const std::string& job_id, std::int32_t known, std::int32_t until) {
  WatchOptions options;
  static_cast<FollowOptions&>(options) = static_cast<const FollowOptions&>(options_);
  options.timeout = loop_.Left();
  // A job that has gone back (a restored store) never gets there: what is, is enough.
  options.on_caught_up = [](const v1::Job&) { return WatchStep::kStop; };
  const Result<WatchEnd> end = client_.Watch(
      job_id, known,
      [&](const v1::Transition& transition) {
        Deliver(job_id, transition);
        return stopped_ || transition.sequence() >= until ? WatchStep::kStop : WatchStep::kGoOn;
      },
      options);
  if (end.ok()) {
    loop_.Heard();
    return std::nullopt;
  }
  const absl::StatusCode code = end.error().code;
  // It was purged meanwhile, or has gone back: its history has no more to tell.
  if (code == absl::StatusCode::kNotFound || code == absl::StatusCode::kOutOfRange) {
    return std::nullopt;
  }
  return end.error();
}

WatchAll::Ended WatchAll::Stream() {
  const auto prepare = [this](v1::EditService::Stub& stub, grpc::ClientContext* context,
                              grpc::CompletionQueue* queue) {
    v1::WatchJobsRequest request;
    request.set_resume_token(token_);
    for (const std::string& job_id : options_.job_ids) request.add_job_ids(job_id);
    request.mutable_labels()->insert(options_.labels.begin(), options_.labels.end());
    SetDuration(options_.heartbeat_interval, request.mutable_heartbeat_interval());
    return stub.PrepareAsyncWatchJobs(context, request, queue);
  };
  const auto take = [this](const v1::WatchJobsResponse& message) { return Take(message); };
  const auto ends = [](const ClientError& error) {
    return IsPermanent(error) || IsTokenLost(error);
  };
  return loop_.Run<v1::WatchJobsResponse>(prepare, take, ends);
}

Result<Taken> WatchAll::Take(const v1::WatchJobsResponse& message) {
  switch (message.message_case()) {
    case v1::WatchJobsResponse::kTransition: {
      const Result<bool> passed = TakeTransition(message.job_id(), message.transition());
      if (!passed.ok()) return passed.error();
      if (!*passed) return Taken::kStop;
      loop_.Progress();
      break;
    }
    case v1::WatchJobsResponse::kCaughtUp:
      if (options_.on_caught_up && options_.on_caught_up() == WatchStep::kStop) stopped_ = true;
      break;
    case v1::WatchJobsResponse::kHeartbeat:
      break;
    case v1::WatchJobsResponse::MESSAGE_NOT_SET:
      break;  // of a newer gateway: not for us
  }
  MoveTo(message.resume_token());
  return stopped_ ? Taken::kStop : Taken::kGoOn;
}

Result<bool> WatchAll::TakeTransition(const std::string& job_id, const v1::Transition& transition) {
  const std::int32_t sequence = transition.sequence();
  std::optional<std::int32_t> known = sequences_.Last(job_id);
  if (!known.has_value() && sequence > 1) {
    // Nothing recorded so long ago is news: the job is over, and was forgotten.
    if (ToTime(transition.record_time()) <= sequences_.forgotten_until()) return true;
    // Begun by a token of an earlier watch, which has delivered what lies before.
    if (lists_ == 0) known = sequence - 1;
  }
  const std::int32_t last = known.value_or(0);
  if (sequence <= last) return true;
  if (sequence > last + 1) {
    // The job's own history has this one too.
    if (auto ended = Fill(job_id, last, sequence)) return *ended;
    if (stopped_) return false;
    if (sequences_.Last(job_id).value_or(0) >= sequence) return true;
  }
  Deliver(job_id, transition);
  return true;
}

void WatchAll::Deliver(const std::string& job_id, const v1::Transition& transition) {
  if (IsFinal(transition.state())) {
    sequences_.SetFinal(job_id, transition.sequence(), ToTime(transition.record_time()));
  } else {
    sequences_.Set(job_id, transition.sequence());
  }
  if (callback_(job_id, transition) == WatchStep::kStop) stopped_ = true;
}

void WatchAll::MoveTo(const std::string& token) {
  if (token.empty() || token == token_) return;
  token_ = token;
  if (options_.on_position) options_.on_position(token_);
}

CallOptions WatchAll::ForCall() const {
  CallOptions call;
  call.timeout = std::min(call.timeout, loop_.Left());
  call.stop = options_.stop;
  call.on_retry = options_.on_interrupted;
  return call;
}

}  // namespace

Result<WatchAllEnd> RunWatchAll(Client& client, const std::shared_ptr<Connection>& connection,
                                absl::Duration connect_timeout,
                                const JobTransitionCallback& on_transition,
                                const WatchAllOptions& options) {
  return WatchAll(client, connection, connect_timeout, on_transition, options).Run();
}

}  // namespace lumaedit::client
