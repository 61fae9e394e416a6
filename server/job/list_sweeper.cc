#include "server/job/list_sweeper.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/base/crash_point.h"
#include "server/job/observation_rules.h"
#include "server/job/payload.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// Pages rest after one that failed; jobs are asked by id meanwhile, under the same cap.
constexpr BackoffRange kPause = {absl::Seconds(2), absl::Minutes(1)};

constexpr int kLookupLimit = 20;
constexpr int kLookupDepth = 100;
constexpr int kLookupRequests = 10;
// Of as many ids it is known where the search for them goes on; more are searched from the head.
constexpr std::size_t kMostLookups = 10000;

}  // namespace

bool ListSweeper::IsOn(std::size_t jobs) const {
  const int from = context_.settings().poll.list_from;
  return from > 0 && jobs >= static_cast<std::size_t>(from) &&
         context_.clock().Uptime() >= paused_until_;
}

void ListSweeper::NoticeKey() {
  std::string key = context_.deps().upstream.Account();
  if (key == key_) return;
  key_ = std::move(key);
  map_.Clear();
  walk_.Reset();
  looked_to_.clear();
}

bool ListSweeper::IsMine(const Job& job) const {
  const Accounts::Reader reader = context_.accounts().ReaderFor(job.upstream_account);
  return reader.same_account && &reader.upstream == &context_.deps().upstream;
}

void ListSweeper::Track(const Job& job, bool is_newest) {
  NoticeKey();
  if (IsMine(job)) map_.Track(job.upstream_id, is_newest);
}

bool ListSweeper::MayServe(const Job& job) {
  if (!IsMine(job)) return false;
  if (!map_.IsTracked(job.upstream_id)) map_.Track(job.upstream_id, /*is_newest=*/false);
  return true;
}

std::shared_ptr<ListSweep> ListSweeper::MakeSweep(
    const std::vector<std::string>& waited_for) const {
  auto sweep = std::make_shared<ListSweep>();
  sweep->is_fat = [this](const std::string& id) { return map_.IsFat(id); };
  sweep->fat_bytes = map_.StopBytes();
  sweep->waited_for.insert(waited_for.begin(), waited_for.end());
  return sweep;
}

asio::awaitable<std::optional<ListSweeper::Reading>> ListSweeper::Read(SweepPage page) {
  return Ask(page.offset, page.limit, std::move(page.serves), std::nullopt);
}

asio::awaitable<std::optional<ListSweeper::Reading>> ListSweeper::Walk() {
  const ListWalk::Stretch stretch =
      walk_.Next(context_.clock().Uptime(), map_.unplaced(), map_.PageLimit());
  return Ask(stretch.offset, stretch.limit, {}, stretch);
}

asio::awaitable<std::optional<ListSweeper::Reading>> ListSweeper::Ask(
    int offset, int limit, std::vector<std::string> waited_for,
    std::optional<ListWalk::Stretch> stretch) {
  Upstream& upstream = context_.deps().upstream;
  Reading reading{.key = upstream.Account(), .asked = context_.clock().Now(), .records = {}};
  ListQuery query;
  query.model = kEditModel;
  query.offset = offset;
  query.limit = limit;
  query.sweep = MakeSweep(waited_for);
  ListResult answer = co_await upstream.List(query);
  CrashPoint("poll.answered");
  context_.LearnDate(answer.upstream_date);
  NoticeKey();
  if (key_ != reading.key || answer.key != reading.key) co_return std::nullopt;
  if (answer.failure != ReadFailure::kNone) {
    if (stretch) walk_.Failed(*stretch);
    Fail(answer, limit);
    co_return std::nullopt;
  }
  failures_ = 0;
  const int count = static_cast<int>(answer.records.size());
  reading.was_stopped = count > 0 && answer.records.back().is_partial;
  if (answer.has_more == true && count > 0 && count < limit && !reading.was_stopped) {
    map_.LearnMost(count);
  }
  const int found = map_.Learn(offset, answer.records);
  if (stretch) {
    const bool at_end = count == 0 || (answer.has_more == false && !reading.was_stopped);
    walk_.Read(*stretch, {.read = count, .at_end = at_end, .found = found}, map_.unplaced(),
               context_.clock().Uptime());
  }
  reading.records = std::move(answer.records);
  co_return reading;
}

void ListSweeper::Fail(const ListResult& answer, int limit) {
  // The largest page that is allowed is not known (upstream.md section 10): smaller ones may be.
  const bool is_refused = answer.http_status == 400 || answer.http_status == 422;
  if (is_refused && limit > 1) map_.LearnMost(limit / 2);
  const absl::Duration least = std::min(kPause.first * (1 << std::min(failures_, 10)), kPause.most);
  ++failures_;
  paused_until_ = context_.clock().Uptime() + std::max(least, answer.retry_after);
  context_.log().Warning("list_failed", {{"http_status", answer.http_status},
                                         {"note", NoteToLog(answer.http_status, answer.note)}});
}

asio::awaitable<ListSweeper::Found> ListSweeper::Find(Accounts::Reader reader,
                                                      std::string upstream_id,
                                                      absl::FunctionRef<void()> spend) {
  ListQuery query;
  query.model = kEditModel;
  const std::shared_ptr<const ListSweep> sweep = MakeSweep({upstream_id});
  // The head first, where a record that shows late appears; then on from where the last search
  // stopped. One that came to the list's end leaves nothing to go on from.
  int goes_on = 0;
  if (const auto place = map_.OffsetOf(upstream_id)) {
    query.offset = std::max(0, *place - kLookupLimit / 2);
  } else if (const auto looked_to = looked_to_.find(upstream_id); looked_to != looked_to_.end()) {
    goes_on = looked_to->second;
  }
  looked_to_.erase(upstream_id);
  const int depth = std::max(query.offset, goes_on) + kLookupDepth;
  bool is_alone = false;  // the next one is read by itself and whole
  for (int asked = 0; asked < kLookupRequests && query.offset < depth; ++asked) {
    query.limit = is_alone ? 1 : kLookupLimit;
    query.sweep = is_alone ? nullptr : sweep;
    spend();
    ListResult answer = co_await reader.upstream.List(query);
    if (answer.key != reader.key) co_return Found{.record = std::nullopt, .key_changed = true};
    const bool was_alone = std::exchange(is_alone, false);
    if (answer.failure != ReadFailure::kNone) {
      if (!was_alone) break;
      // Perhaps it cannot be read at all; what stands behind it can.
      ++query.offset;
      continue;
    }
    for (UpstreamRecord& record : answer.records) {
      if (record.id == upstream_id && TellsState(record)) {
        co_return Found{.record = std::move(record)};
      }
      // What a final record says stands behind its echo, and its very name may.
      const bool may_be_it = record.id == upstream_id || (record.is_partial && record.id.empty());
      is_alone = may_be_it && !was_alone;
      if (is_alone) break;
      ++query.offset;
    }
    if (is_alone) continue;
    if (answer.records.empty() || !answer.has_more.value_or(true)) co_return Found{};
    if (query.offset >= kLookupLimit) query.offset = std::max(query.offset, goes_on);
  }
  // New records push it down meanwhile, never up past where the search stands.
  map_.Displace(upstream_id);
  if (looked_to_.size() < kMostLookups) looked_to_[upstream_id] = std::max(query.offset, goes_on);
  co_return Found{};
}

}  // namespace lumaedit
