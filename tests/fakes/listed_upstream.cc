#include "tests/fakes/listed_upstream.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "server/base/signal.h"
#include "server/job/payload.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// What is read of an answer before its reading can be stopped.
constexpr std::int64_t kPiece = 16 * 1024;
constexpr std::int64_t kLongRest = 128 * 1024;

// How far a sweep reads a record before its reading is stopped there.
std::optional<std::int64_t> ReadBeforeStop(const ListedUpstream::Record& record,
                                           const ListSweep& sweep, std::int64_t rest) {
  std::int64_t most = sweep.fat_bytes;
  if (!record.echo_first && sweep.is_fat(record.id)) most = 0;
  const std::int64_t read = (most / kPiece + 1) * kPiece;
  if (record.bytes <= read || rest - read <= kLongRest) return std::nullopt;
  return read;
}

}  // namespace

std::int64_t ListedUpstream::bytes() const {
  std::int64_t sum = 0;
  for (const Request& request : requests) sum += request.bytes;
  return sum;
}

int ListedUpstream::lists() const {
  return static_cast<int>(std::count_if(requests.begin(), requests.end(),
                                        [](const Request& request) { return request.is_list; }));
}

asio::awaitable<void> ListedUpstream::Pass(absl::Duration time) {
  Signal wait(executor_, clock_);
  co_await wait.WaitFor(time);
  if (meanwhile) meanwhile();
}

UpstreamRecord ListedUpstream::View(const Record& record) const {
  UpstreamRecord view;
  view.id = record.id;
  view.org_id = key;
  view.model = kEditModel;
  view.status_word = record.word;
  view.status = ReadStatusWord(record.word);
  if (view.status == UpstreamStatus::kSuccess) {
    view.outcome.emplace().video_url = "https://media.example.com/" + record.id + ".mp4";
  }
  view.bytes = record.bytes;
  return view;
}

const ListedUpstream::Record* ListedUpstream::Find(const std::string& id) {
  const auto known = index_.find(id);
  if (known != index_.end() && known->second < records.size() && records[known->second].id == id) {
    return &records[known->second];
  }
  for (std::size_t i = 0; i < records.size(); ++i) index_[records[i].id] = i;
  const auto found = index_.find(id);
  if (found == index_.end() || found->second >= records.size()) return nullptr;
  const Record& record = records[found->second];
  return record.id == id ? &record : nullptr;
}

asio::awaitable<PostResult> ListedUpstream::Post(PostRequest /*request*/, LastByteGate& /*gate*/) {
  co_return PostResult{};
}

asio::awaitable<GetResult> ListedUpstream::Get(std::string upstream_id) {
  const absl::Duration asked = clock_.Uptime();
  GetResult result;
  result.key = key;
  co_await Pass(takes);
  Request request{.time = asked, .is_list = false, .id = upstream_id};
  const Record* record = Find(upstream_id);
  if (record == nullptr || !record->by_id) {
    result.failure = ReadFailure::kNotFound;
    result.http_status = 404;
  } else {
    result.record = View(*record);
    result.http_status = 200;
    request.records = 1;
    request.bytes = record->bytes - kPiece > kLongRest ? kPiece : record->bytes;
    told[upstream_id].push_back(asked);
  }
  requests.push_back(request);
  co_return result;
}

asio::awaitable<ListResult> ListedUpstream::List(ListQuery query) {
  Request request{
      .time = clock_.Uptime(), .is_list = true, .offset = query.offset, .limit = query.limit};
  ListResult result;
  result.key = key;
  co_await Pass(takes + list_takes);
  result.http_status = 200;
  if (on_list) {
    if (auto answer = on_list(query)) {
      requests.push_back(request);
      answer->key = result.key;
      co_return *std::move(answer);
    }
  }
  const auto begin = std::min(static_cast<std::size_t>(query.offset), records.size());
  const auto end = std::min(begin + static_cast<std::size_t>(std::min(query.limit, most_records)),
                            records.size());
  std::int64_t rest = 0;  // of the answer
  for (std::size_t i = begin; i < end; ++i) rest += records[i].bytes;
  std::unordered_set<std::string> waited_for;
  if (query.sweep) waited_for = query.sweep->waited_for;
  const bool is_awaited = !waited_for.empty();
  const auto first = records.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = records.begin() + static_cast<std::ptrdiff_t>(end);
  if (!query.sweep && std::any_of(first, last, [](const Record& r) { return r.unreadable; })) {
    result.failure = ReadFailure::kUnreadable;
    requests.push_back(request);
    co_return result;
  }
  bool was_stopped = false;
  for (std::size_t i = begin; i < end && !was_stopped; ++i) {
    const Record& record = records[i];
    UpstreamRecord view = View(record);
    std::optional<std::int64_t> read;
    if (query.sweep) read = ReadBeforeStop(record, *query.sweep, rest);
    if (query.sweep && record.unreadable) read = std::min(record.bytes, kPiece);
    if (read) {
      view.is_partial = true;
      view.outcome.reset();
      view.bytes = *read;
      was_stopped = true;
    }
    rest -= view.bytes;
    waited_for.erase(record.id);
    was_stopped = was_stopped || (is_awaited && waited_for.empty() && rest > kLongRest);
    if (record.bare) view.outcome.reset();
    if (record.unreadable || (read && record.echo_first)) {
      view.id.clear();
      view.status_word.clear();
      view.status = UpstreamStatus::kUnknown;
    }
    request.bytes += view.bytes;
    if (!view.id.empty()) told[view.id].push_back(request.time);
    result.records.push_back(std::move(view));
  }
  request.records = static_cast<int>(result.records.size());
  result.body_bytes = request.bytes;
  if (says_has_more && !was_stopped) result.has_more = end < records.size();
  requests.push_back(request);
  co_return result;
}

}  // namespace lumaedit
