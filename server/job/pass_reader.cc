#include "server/job/pass_reader.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "server/job/payload.h"

namespace lumaedit {

namespace asio = boost::asio;

asio::awaitable<Pass> PassReader::Read(std::string account, absl::Time from) {
  const Accounts::Reader reader = context_.accounts().ReaderFor(account);
  const bool may_learn = !Accounts::IsLearned(context_.accounts().Canonical(reader.key));
  Pass pass;
  pass.failed = true;
  if (!reader.same_account && !may_learn) co_return pass;
  const std::vector<JobView> nobody_in_particular;
  pass = co_await Read(reader, from, nobody_in_particular);
  if (context_.accounts().IsKeyOf(reader.key, account)) co_return pass;
  pass = Pass{};
  pass.failed = true;
  co_return pass;
}

asio::awaitable<Pass> PassReader::Read(Accounts::Reader reader, absl::Time from,
                                       const std::vector<JobView>& open) {
  const ReconcileSettings& settings = context_.settings().reconcile;
  Pass pass;
  pass.read_time = context_.clock().Now();
  ListQuery query;
  query.model = kEditModel;
  query.limit = settings.page_limit;
  query.want_echo = true;
  int most_pages = settings.most_pages;
  if (fat_ || context_.HasInlineJobs()) {
    // An echo holds the whole video: one record at a time, and no more of it than needed.
    query.limit = 1;
    most_pages = settings.most_single_pages;
    auto stop = std::make_shared<ListStop>();
    stop->is_owned = [this](const std::string& id) { return owned_.Contains(id); };
    for (const JobView& view : open) stop->payloads.push_back(PayloadFor(view.job.edit));
    if (!open.empty()) query.stop = std::move(stop);
  }
  std::set<std::string> seen;
  ListOrder order;
  std::int64_t bytes = 0;
  bool is_too_much = false;
  for (int page = 0; page < most_pages && !pass.complete; ++page) {
    ListResult answer = co_await reader.upstream.List(query);
    context_.LearnDate(answer.upstream_date);
    if (answer.key != reader.key) {
      context_.log().Warning("list_key_changed", {{"page", page}});
      Pass none;
      none.failed = none.key_changed = true;
      none.read_time = pass.read_time;
      co_return none;
    }
    if (answer.failure != ReadFailure::kNone) {
      pass.failed = true;
      // One of many videos, perhaps, or one record that nobody can read: by itself next time.
      is_too_much =
          query.limit > 1 && answer.http_status != 0 &&
          (answer.failure == ReadFailure::kBroken || answer.failure == ReadFailure::kUnreadable);
      context_.log().Warning("list_failed", {{"http_status", answer.http_status},
                                             {"note", NoteToLog(answer.http_status, answer.note)}});
      break;
    }
    bytes += answer.body_bytes;
    const std::size_t count = answer.records.size();
    // New records push older ones down: pages overlap rather than miss.
    query.offset += static_cast<int>(count);
    std::erase_if(answer.records,
                  [&](const UpstreamRecord& record) { return !seen.insert(record.id).second; });
    const bool is_judged = co_await JudgePage(reader.key, std::move(answer.records), order, pass);
    if (!is_judged) {
      pass.failed = true;
      break;
    }
    // A short page may be a lower limit of the upstream's: without `has_more` only an empty one
    // ends.
    const bool at_end = answer.has_more ? !*answer.has_more : count == 0;
    pass.read_back_to = order.ReadBackTo();
    pass.complete = at_end || pass.Covers(from);
    if (!pass.complete && bytes > settings.most_bytes) {
      context_.log().Warning("list_too_long", {{"bytes", bytes}});
      break;
    }
    if (count == 0) break;
  }
  fat_ =
      is_too_much || bytes > settings.fat_record_bytes *
                                 static_cast<std::int64_t>(std::max<std::size_t>(seen.size(), 1));
  co_return pass;
}

asio::awaitable<bool> PassReader::JudgePage(const std::string& key,
                                            std::vector<UpstreamRecord> page, ListOrder& order,
                                            Pass& pass) {
  std::vector<std::string> ids;
  for (const UpstreamRecord& record : page) ids.push_back(record.id);
  auto owned = co_await Offload(context_.deps().store_worker,
                                [this, &ids] { return context_.deps().store.OwnedIds(ids); });
  if (!owned.ok()) co_return false;
  const absl::Duration offset = context_.upstream_time().offset.value_or(absl::ZeroDuration());
  const absl::Duration doubt = context_.settings().reconcile.clock_doubt_unlearned;
  for (UpstreamRecord& record : page) {
    const auto owner = std::find_if(owned->begin(), owned->end(),
                                    [&](const OwnedId& id) { return id.upstream_id == record.id; });
    if (IsSet(record.created_at)) {
      order.Add(record.created_at, record.created_at);
    } else if (owner != owned->end() && IsSet(owner->accept_time)) {
      // Made after its job, and before we learned of it; whatever is doubtful about clocks is
      // added.
      order.Add(owner->create_time + std::min(offset, absl::ZeroDuration()) - doubt,
                owner->accept_time + std::max(offset, absl::ZeroDuration()) + doubt);
    }
    if (owner == owned->end()) {
      pass.unowned.push_back(std::move(record));
      continue;
    }
    owned_.Add(record.id);
    co_await context_.accounts().OnOwnedRecord(key, owner->account, record.org_id);
  }
  co_return true;
}

}  // namespace lumaedit
