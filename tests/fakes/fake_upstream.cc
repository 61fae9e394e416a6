#include "tests/fakes/fake_upstream.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/crash_point.h"
#include "server/base/signal.h"
#include "server/base/task_group.h"
#include "server/job/attempt_rules.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

absl::Time WholeSecond(absl::Time time) { return absl::FromUnixSeconds(absl::ToUnixSeconds(time)); }

// The transport reads an answer for this long.
constexpr absl::Duration kAnswerLimit = absl::Seconds(330);

}  // namespace

std::vector<RecordStep> UsualCourse() {
  return {{absl::ZeroDuration(), "queued"},
          {absl::Seconds(3), "processing"},
          {absl::Seconds(8), "success"}};
}

FakeUpstream::FakeUpstream(const asio::any_io_executor& executor, Clock& clock)
    : executor_(executor), clock_(clock) {}

void FakeUpstream::ScriptFor(const std::string& prompt, PostScript script) {
  scripts_by_prompt_[prompt].push_back(std::move(script));
}

std::string FakeUpstream::AddRecord(FakeRecord record) {
  if (record.id.empty()) record.id = NewId();
  if (record.account.empty()) record.account = account;
  if (record.created_at == absl::Time()) record.created_at = UpstreamNow();
  records_.push_back(std::move(record));
  return records_.back().id;
}

FakeRecord* FakeUpstream::Find(const std::string& id) {
  const auto it = std::find_if(records_.begin(), records_.end(),
                               [&](const FakeRecord& record) { return record.id == id; });
  return it == records_.end() ? nullptr : &*it;
}

void FakeUpstream::KeepLedger(LedgerFile file) {
  for (LedgerEntry& entry : file.Read()) {
    FakeRecord record = usual.record;
    record.id = entry.id;
    record.payload = entry.payload;
    record.created_at = entry.time;
    record.account = account;
    records_.push_back(std::move(record));
    accepted_.push_back(std::move(entry));
    ++ids_;
  }
  ledger_file_.emplace(std::move(file));
}

asio::awaitable<PostResult> FakeUpstream::Post(PostRequest request, LastByteGate& gate) {
  using Kind = PostScript::Kind;
  PostScript script = TakeScript(request.payload.prompt);
  posts_.push_back({request.payload.prompt, clock_.Uptime(), PayloadFingerprint(request.payload)});
  CountedPlace place(in_flight_);
  most_in_flight_ = std::max(most_in_flight_, in_flight_);

  PostResult unsent;
  unsent.fact.kind = FactKind::kNotAccepted;
  unsent.fact.note = "connect: refused";
  co_await Sleep(script.upload);
  if (script.kind == Kind::kThrows) throw std::logic_error("a bug in the transport");
  if (script.kind == Kind::kNotSent) co_return unsent;
  std::string accepted_early;
  if (script.early && script.kind == Kind::kAccept) {
    accepted_early = Accept(script, request.payload);
  }
  const bool in_seal = script.answer_after > absl::ZeroDuration();
  if (script.early && !in_seal) co_return AnswerTo(script, accepted_early);
  CrashPoint("dispatch.body_sent");
  const bool is_sealed = co_await gate.Seal();
  if (script.early) {
    // Whatever became of the seal: an answer that comes in is read.
    co_await Sleep(script.answer_after);
    co_return AnswerTo(script, accepted_early);
  }
  unsent.fact.note = "gate: the last byte was kept back";
  if (!is_sealed) {
    // It stands for a POST that goes out, not for a try that was called off.
    GiveBack(script, request.payload.prompt);
    co_return unsent;
  }
  unsent.fact.note = "write: reset";
  if (script.kind == Kind::kBreaksUnsent || !gate.MayGiveLastByte()) co_return unsent;
  gate.LastByteGiven();
  std::string accepted_id;
  if (script.kind == Kind::kAccept || script.kind == Kind::kLoseAnswer) {
    accepted_id = Accept(script, request.payload);
  }
  if (script.kind == Kind::kCapacity && script.leaves) {
    FakeRecord left = *script.leaves;
    left.payload = request.payload;
    accepted_id = AddRecord(std::move(left));
  }
  CrashPoint("dispatch.last_byte");
  co_await Sleep(std::min(script.answer_after, kAnswerLimit));
  PostResult result = AnswerTo(script, accepted_id);
  if (script.answer_after > kAnswerLimit) {
    result = PostResult{};
    result.fact.note = "read: the answer is late";
  }
  result.last_byte_given = true;
  if (result.fact.http_status != 0) CrashPoint("dispatch.answered");
  co_return result;
}

PostScript FakeUpstream::TakeScript(const std::string& prompt) {
  const auto mine = scripts_by_prompt_.find(prompt);
  std::deque<PostScript>& queue =
      mine != scripts_by_prompt_.end() && !mine->second.empty() ? mine->second : scripts_;
  if (queue.empty()) return on_post ? on_post(prompt) : usual;
  PostScript script = std::move(queue.front());
  queue.pop_front();
  script.origin = &queue == &scripts_ ? PostScript::Origin::kNext : PostScript::Origin::kPrompt;
  return script;
}

void FakeUpstream::GiveBack(PostScript script, const std::string& prompt) {
  switch (script.origin) {
    case PostScript::Origin::kUsual:
      break;
    case PostScript::Origin::kNext:
      scripts_.push_front(std::move(script));
      break;
    case PostScript::Origin::kPrompt:
      scripts_by_prompt_[prompt].push_front(std::move(script));
      break;
  }
}

std::string FakeUpstream::Accept(const PostScript& script, const UpstreamPayload& payload) {
  FakeRecord record = script.record;
  record.payload = payload;
  const std::string id = AddRecord(std::move(record));
  accepted_.push_back({id, UpstreamNow(), payload});
  if (ledger_file_) ledger_file_->Add(accepted_.back());
  return id;
}

PostResult FakeUpstream::AnswerTo(const PostScript& script, const std::string& accepted_id) {
  PostResult result;
  result.upstream_date = Date();
  Fact& fact = result.fact;
  fact.record_time = clock_.Now();
  switch (script.kind) {
    case PostScript::Kind::kAccept: {
      const UpstreamRecord record = View(*Find(accepted_id));
      fact.kind = FactKind::kAccepted;
      fact.http_status = 200;
      fact.upstream_id = script.answer_id.empty() ? accepted_id : script.answer_id;
      fact.upstream_status = record.status_word;
      fact.outcome = record.outcome;
      fact.error = record.error;
      break;
    }
    case PostScript::Kind::kLoseAnswer:
    case PostScript::Kind::kLoseRequest:
      fact.kind = FactKind::kUnclear;
      fact.note = "read: reset";
      result.upstream_date = absl::InfinitePast();
      break;
    case PostScript::Kind::kRateLimited:
      fact.kind = FactKind::kNotAccepted;
      fact.http_status = 429;
      fact.retry_after = script.retry_after;
      result.rate_limit = script.rate_limit;
      break;
    case PostScript::Kind::kCapacity:
      fact.kind = FactKind::kRefusedInWords;
      fact.http_status = 503;
      if (script.names_id) fact.upstream_id = accepted_id.empty() ? "named-and-gone" : accepted_id;
      break;
    case PostScript::Kind::kEditRefused:
      fact.kind = FactKind::kEditRefused;
      fact.http_status = script.http_status == 0 ? 400 : script.http_status;
      fact.error = JobError{.reason = ErrorReason::kUpstreamRefused,
                            .message = "the upstream refused the edit",
                            .upstream_code = "invalid_request",
                            .upstream_message = "no",
                            .may_succeed_if_submitted_again = false};
      break;
    case PostScript::Kind::kEveryoneRefused:
      fact.kind = FactKind::kEveryoneRefused;
      fact.http_status = script.http_status;
      break;
    case PostScript::Kind::kNotSent:
    case PostScript::Kind::kBreaksUnsent:
    case PostScript::Kind::kThrows:
      break;
  }
  return result;
}

asio::awaitable<GetResult> FakeUpstream::Get(std::string upstream_id) {
  get_times_.push_back(clock_.Uptime());
  co_await Sleep(get_takes);
  GetResult result;
  result.upstream_date = Date();
  if (on_get) {
    if (auto answer = on_get(upstream_id)) co_return *std::move(answer);
  }
  const FakeRecord* record = Find(upstream_id);
  if (record == nullptr || !record->found_by_id || !IsSeen(*record)) {
    result.failure = ReadFailure::kNotFound;
    result.http_status = 404;
    co_return result;
  }
  result.http_status = 200;
  result.record = View(*record);
  co_return result;
}

asio::awaitable<ListResult> FakeUpstream::List(ListQuery query) {
  list_times_.push_back(clock_.Uptime());
  list_queries_.push_back(query);
  co_await Sleep(list_takes);
  ListResult result;
  result.http_status = 200;
  result.upstream_date = Date();
  if (on_list) {
    if (auto answer = on_list(query)) co_return *std::move(answer);
  }
  std::vector<const FakeRecord*> shown;
  shown.reserve(records_.size());
  for (auto it = records_.rbegin(); it != records_.rend(); ++it) {
    const bool is_asked_for = query.model.empty() || query.model == it->model;
    if (it->listed && is_asked_for && IsSeen(*it) &&
        UpstreamNow() >= it->created_at + it->shows_after) {
      shown.push_back(&*it);
    }
  }
  const auto is_newer = [](const FakeRecord* a, const FakeRecord* b) {
    return a->created_at > b->created_at;
  };
  if (!std::is_sorted(shown.begin(), shown.end(), is_newer)) {
    std::stable_sort(shown.begin(), shown.end(), is_newer);
  }
  if (list_unordered) std::reverse(shown.begin(), shown.end());
  const std::size_t begin = std::min(shown.size(), static_cast<std::size_t>(query.offset));
  const std::size_t end = std::min(shown.size(), begin + static_cast<std::size_t>(query.limit));
  for (std::size_t i = begin; i < end; ++i) {
    result.records.push_back(View(*shown[i]));
    if (!query.want_echo) {
      result.records.back().echo = {};
      result.records.back().echo_is_empty = true;
    }
  }
  if (says_has_more) result.has_more = end < shown.size();
  if (query.stop) StopEarly(*query.stop, result);
  co_return result;
}

// As the reader of the real one does: what comes after the id or the echo is not seen.
void FakeUpstream::StopEarly(const ListStop& stop, ListResult& result) {
  for (std::size_t i = 0; i < result.records.size(); ++i) {
    UpstreamRecord& record = result.records[i];
    const bool differs =
        !record.echo_is_empty &&
        std::find(stop.payloads.begin(), stop.payloads.end(), record.echo) == stop.payloads.end();
    if (!stop.is_owned(record.id) && !differs) continue;
    UpstreamRecord partial;
    partial.id = record.id;
    partial.is_partial = true;
    record = std::move(partial);
    result.records.resize(i + 1);
    result.has_more.reset();
    return;
  }
}

UpstreamRecord FakeUpstream::View(const FakeRecord& record) const {
  UpstreamRecord view;
  view.id = record.id;
  view.org_id = record.account;
  view.model = record.model;
  if (!record.without_time) view.created_at = WholeSecond(record.created_at);
  view.updated_at = view.created_at;
  view.echo_is_empty = record.empty_echo;
  if (!record.empty_echo) view.echo = record.payload;
  const RecordStep* now = nullptr;
  for (const RecordStep& step : record.course) {
    if (UpstreamNow() - record.created_at >= step.after) now = &step;
  }
  if (now == nullptr) return view;
  view.status_word = now->word;
  view.status = ReadStatusWord(now->word);
  if (view.status == UpstreamStatus::kSuccess && now->has_outcome) {
    Outcome outcome;
    outcome.video_url = absl::StrCat("https://media.example.com/", record.id, ".mp4");
    outcome.generation_id = absl::StrCat("generation-", record.id);
    outcome.read_time = clock_.Now();
    view.outcome = std::move(outcome);
  }
  if (view.status == UpstreamStatus::kFailed) {
    view.error = record.error.value_or(JobError{.reason = ErrorReason::kUpstreamFailed,
                                                .message = "the upstream failed it",
                                                .upstream_code = "internal",
                                                .upstream_message = "boom",
                                                .may_succeed_if_submitted_again = true});
  }
  return view;
}

asio::awaitable<void> FakeUpstream::Sleep(absl::Duration time) {
  if (time <= absl::ZeroDuration()) co_return;
  Signal wait(executor_, clock_);
  co_await wait.WaitFor(time);
}

absl::Time FakeUpstream::Date() const {
  return sends_date ? WholeSecond(UpstreamNow()) : absl::InfinitePast();
}

std::string FakeUpstream::NewId() { return absl::StrCat("record-", ++ids_); }

}  // namespace lumaedit
