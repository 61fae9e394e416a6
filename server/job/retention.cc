#include "server/job/retention.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kInterval = absl::Minutes(10);
// One transaction removes so many jobs; others write in between.
constexpr int kBatch = 100;
constexpr absl::Duration kBetweenBatches = absl::Milliseconds(100);

}  // namespace

Retention::Retention(EngineContext& context, ClockTrust& clock_trust)
    : context_(context),
      clock_trust_(clock_trust),
      wake_(context.deps().executor, context.clock()) {}

asio::awaitable<void> Retention::Run() {
  while (!context_.draining()) {
    const bool may_remove = co_await clock_trust_.MayRemove();
    if (may_remove) co_await PurgeAll();
    if (context_.draining()) break;
    co_await wake_.WaitFor(kInterval);
  }
}

asio::awaitable<void> Retention::PurgeAll() {
  const RetentionSettings& settings = context_.settings().retention;
  const absl::Time now = context_.clock().Now();
  int jobs = 0;
  for (;;) {
    const auto purged = co_await Offload(context_.deps().store_worker, [this, now, &settings] {
      return context_.deps().store.Purge(now - settings.jobs, now - settings.request_ids, kBatch);
    });
    if (!purged.ok()) {
      context_.log().Warning("purge_failed", {{"error", std::string(purged.status().message())}});
      break;
    }
    jobs += *purged;
    if (*purged < kBatch || context_.draining()) break;
    co_await wake_.WaitFor(kBetweenBatches);
  }
  if (jobs > 0) context_.log().Info("jobs_purged", {{"count", jobs}});
}

}  // namespace lumaedit
