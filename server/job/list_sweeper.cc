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
// What was learned of the longest page, perhaps of a record that fails every page, is tried again.
constexpr absl::Duration kLimitKept = absl::Minutes(10);

constexpr int kLookupLimit = 20;
constexpr int kLookupDepth = 100;
constexpr int kLookupRequests = 10;
constexpr int kHeadRequests = 3;
// Before where a record is thought to be.
constexpr int kLookupLead = 4;
// Of a scan: each is read whole, however long.
constexpr int kMostNameless = 2;
// Of as many ids it is known where the search for them goes on; more are searched from the head.
constexpr std::size_t kMostLookups = 10000;

// It may be one record's, so that pages without it can be read; else the list's as a whole.
bool MayBeOneRecords(const ListResult& answer) {
  return answer.failure == ReadFailure::kUnreadable || answer.http_status == 500 ||
         answer.http_status == 400 || answer.http_status == 422;
}

}  // namespace

bool ListSweeper::IsOn(std::size_t jobs) const {
  const int from = context_.settings().poll.list_from;
  return from > 0 && jobs >= static_cast<std::size_t>(from) &&
         context_.clock().Uptime() >= paused_until_;
}

void ListSweeper::NoticeKey() {
  if (context_.clock().Uptime() >= limit_until_) {
    map_.LearnMore();
    limit_until_ = context_.clock().Uptime() + kLimitKept;
  }
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
  const bool is_of_key = key_ == reading.key && answer.key == reading.key;
  if (!is_of_key || answer.failure != ReadFailure::kNone) {
    if (stretch && is_of_key && MayBeOneRecords(answer)) {
      if (walk_.Failed(*stretch, map_.unplaced(), context_.clock().Uptime())) {
        map_.LearnUnreadable(offset);
      }
    } else if (stretch) {
      walk_.NotRead(*stretch);
    }
    if (!is_of_key) co_return std::nullopt;
    Fail(answer, limit);
    co_return std::nullopt;
  }
  failures_ = 0;
  const int count = static_cast<int>(answer.records.size());
  reading.was_stopped = count > 0 && answer.records.back().is_partial;
  if (answer.has_more == true && count > 0 && count < limit && !reading.was_stopped) {
    LearnMost(count);
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

void ListSweeper::LearnMost(int records) {
  map_.LearnMost(records);
  limit_until_ = context_.clock().Uptime() + kLimitKept;
}

void ListSweeper::Fail(const ListResult& answer, int limit) {
  // The largest page that is allowed is not known (upstream.md section 10): smaller ones may be.
  const bool is_refused = answer.http_status == 400 || answer.http_status == 422;
  const bool may_do_smaller = is_refused && limit > 1;
  if (may_do_smaller) LearnMost(limit / 2);
  const absl::Duration least = std::min(kPause.first * (1 << std::min(failures_, 10)), kPause.most);
  // Pages of one size that are refused together are one failure.
  if (!may_do_smaller) ++failures_;
  paused_until_ = context_.clock().Uptime() + std::max(least, answer.retry_after);
  context_.log().Warning("list_failed", {{"http_status", answer.http_status},
                                         {"note", NoteToLog(answer.http_status, answer.note)}});
}

asio::awaitable<ListSweeper::Found> ListSweeper::Find(Accounts::Reader reader,
                                                      std::string upstream_id, AwaitTurn turn) {
  Scan scan{.reader = reader, .upstream_id = upstream_id, .sweep = MakeSweep({upstream_id})};
  scan.limit = kLookupLimit;
  if (const auto place = map_.OffsetOf(upstream_id)) {
    scan.offset = std::max(0, *place - kLookupLead);
    scan.end = scan.offset + kLookupLimit;
    scan.requests = kLookupRequests;
    Scanned found = co_await Search(scan, turn);
    if (found.end == ScanEnd::kList || found.end == ScanEnd::kRange) map_.Displace(upstream_id);
    co_return std::move(found.result);
  }
  // The head, where a record that shows late appears: a look, whatever stands there.
  scan.end = kLookupLimit;
  scan.requests = kHeadRequests;
  Scanned found = co_await Search(scan, turn);
  if (found.end != ScanEnd::kRange) {
    LookedTo(scan, found.end);
    co_return std::move(found.result);
  }
  // Then on from where the last search stopped: new records push it down meanwhile, never up past
  // there. One that came to the list's end leaves nothing to go on from.
  if (const auto looked_to = looked_to_.find(upstream_id); looked_to != looked_to_.end()) {
    scan.offset = std::max(scan.offset, looked_to->second);
  }
  scan.end = scan.offset + kLookupDepth;
  scan.requests = kLookupRequests - kHeadRequests;
  found = co_await Search(scan, turn);
  LookedTo(scan, found.end);
  co_return std::move(found.result);
}

void ListSweeper::LookedTo(const Scan& scan, ScanEnd end) {
  if (end == ScanEnd::kList || end == ScanEnd::kKey) {
    looked_to_.erase(scan.upstream_id);
    return;
  }
  if (looked_to_.size() >= kMostLookups && !looked_to_.contains(scan.upstream_id)) {
    looked_to_.erase(looked_to_.begin());
  }
  int& goes_on = looked_to_[scan.upstream_id];
  if (end == ScanEnd::kFound) {
    goes_on = std::max(0, scan.offset - kLookupLead);
  } else if (end == ScanEnd::kRange) {
    goes_on = scan.offset;
  } else {
    // A head that failed was no search.
    goes_on = std::max(goes_on, scan.offset);
  }
}

asio::awaitable<ListSweeper::Scanned> ListSweeper::Search(Scan& scan, AwaitTurn turn) {
  int nameless = kMostNameless;
  while (scan.requests > 0 && scan.offset < scan.end) {
    const std::optional<ListResult> asked = co_await Ask(scan, /*is_alone=*/false, turn);
    if (!asked || asked->key != scan.reader.key) {
      co_return Scanned{ScanEnd::kKey, {.record = std::nullopt, .key_changed = true}};
    }
    const ListResult& page = *asked;
    if (page.failure != ReadFailure::kNone) {
      if (!MayBeOneRecords(page)) co_return Scanned{ScanEnd::kFailure, {}};
      // In halves, and past the one that fails.
      if (scan.limit == 1) ++scan.offset;
      scan.limit = scan.limit > 1 ? scan.limit / 2 : kLookupLimit;
      continue;
    }
    bool is_passed = true;
    for (const UpstreamRecord& record : page.records) {
      const bool is_it = record.id == scan.upstream_id;
      if (is_it && TellsState(record)) {
        co_return Scanned{ScanEnd::kFound, {.record = record, .key_changed = false}};
      }
      // What a final record says stands behind its echo, and its very name may.
      const bool may_be_it = is_it || (record.is_partial && record.id.empty());
      if (may_be_it) {
        if (!is_it && nameless-- == 0) co_return Scanned{ScanEnd::kRange, {}};
        const std::optional<ListResult> alone = co_await Ask(scan, /*is_alone=*/true, turn);
        if (!alone || alone->key != scan.reader.key) {
          co_return Scanned{ScanEnd::kKey, {.record = std::nullopt, .key_changed = true}};
        }
        // One that cannot be read at all is passed over, unless it is known to be the one.
        const bool may_be_passed =
            !is_it && (MayBeOneRecords(*alone) || alone->failure == ReadFailure::kBroken);
        if (alone->failure != ReadFailure::kNone && !may_be_passed) {
          co_return Scanned{ScanEnd::kFailure, {}};
        }
        for (const UpstreamRecord& whole : alone->records) {
          if (whole.id == scan.upstream_id && TellsState(whole)) {
            co_return Scanned{ScanEnd::kFound, {.record = whole, .key_changed = false}};
          }
        }
        is_passed = false;
      }
      ++scan.offset;
      if (may_be_it) break;
    }
    if (is_passed && (page.records.empty() || !page.has_more.value_or(true))) {
      co_return Scanned{ScanEnd::kList, {}};
    }
  }
  co_return Scanned{ScanEnd::kRange, {}};
}

// A request more than there are is made for a record that was met. Unset: there is no turn any
// more.
asio::awaitable<std::optional<ListResult>> ListSweeper::Ask(Scan& scan, bool is_alone,
                                                            AwaitTurn turn) {
  ListQuery query;
  query.model = kEditModel;
  query.offset = scan.offset;
  query.limit = is_alone ? 1 : scan.limit;
  if (!is_alone) query.sweep = scan.sweep;
  --scan.requests;
  if (!co_await turn()) co_return std::nullopt;
  co_return co_await scan.reader.upstream.List(query);
}

}  // namespace lumaedit
