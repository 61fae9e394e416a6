#include "client/cli/held_jobs.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cli/text.h"

namespace lumaedit::client::cli {
namespace {

constexpr int kPage = 500;

// When the job's newest transition was recorded.
Result<absl::Time> TimeOfNewest(Client& client, const v1::Job& job, const CallOptions& call) {
  absl::Time time = absl::InfiniteFuture();
  WatchOptions options;
  options.timeout = call.timeout;
  options.stop = call.stop;
  options.on_caught_up = [](const v1::Job&) { return WatchStep::kStop; };
  const Result<WatchEnd> end = client.Watch(
      job.id(), job.sequence() - 1,
      [&time](const v1::Transition& transition) {
        time = ToTime(transition.record_time());
        return WatchStep::kStop;
      },
      options);
  if (!end.ok()) return end.error();
  return time;
}

}  // namespace

Result<std::vector<HeldJob>> FindHeld(Client& client,
                                      const std::map<std::string, std::string>& labels,
                                      absl::Duration held_for, const CallOptions& call) {
  const absl::Time until = absl::Now() - held_for;
  v1::ListJobsRequest request;
  request.set_page_size(kPage);
  request.add_states(v1::Job::STATE_HELD);
  request.mutable_labels()->insert(labels.begin(), labels.end());
  std::vector<HeldJob> held;
  do {
    const Result<v1::ListJobsResponse> page = client.List(request, call);
    if (!page.ok()) return page.error();
    for (const v1::Job& job : page->jobs()) {
      if (ToTime(job.create_time()) > until) continue;  // it cannot be held for longer
      const Result<absl::Time> since = TimeOfNewest(client, job, call);
      if (!since.ok()) return since.error();
      if (*since <= until) held.push_back({job, *since});
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return held;
}

std::vector<std::string> HeldTable(const std::vector<HeldJob>& held) {
  std::vector<std::string> lines;
  v1::PriceRange sum;
  for (const auto& [job, since] : held) {
    const v1::PriceRange& amount = job.charge().amount();
    sum.set_min_usd_micros(sum.min_usd_micros() + amount.min_usd_micros());
    sum.set_max_usd_micros(sum.max_usd_micros() + amount.max_usd_micros());
    lines.push_back(absl::StrFormat("%-36s  held for %-8s  %-20s  %s", Clean(job.id()),
                                    Elapsed(absl::Now() - since), ChargeText(job.charge()),
                                    CandidatesText(job)));
  }
  lines.push_back(absl::StrCat(held.size(), held.size() == 1 ? " job, " : " jobs, ", Price(sum),
                               " that may have been billed"));
  return lines;
}

}  // namespace lumaedit::client::cli
