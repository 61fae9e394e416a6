#include "server/job/retention.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr absl::Duration kInterval = absl::Minutes(10);
// One transaction removes so many jobs; others write in between.
constexpr int kBatch = 100;
constexpr absl::Duration kBetweenBatches = absl::Milliseconds(100);
// Wall time that moved so much more or less than uptime was set by somebody. A wrong one would
// remove jobs of yesterday; whoever set it has a day to notice.
constexpr absl::Duration kJump = absl::Minutes(10);
constexpr absl::Duration kMistrust = absl::Hours(24);

}  // namespace

Retention::Retention(EngineContext& context)
    : context_(context),
      wake_(context.deps().executor, context.clock()),
      looked_wall_(context.clock().Now()),
      looked_uptime_(context.clock().Uptime()) {}

asio::awaitable<void> Retention::Run() {
  while (!context_.draining()) {
    if (ClockIsSteady()) co_await PurgeAll();
    if (context_.draining()) break;
    co_await wake_.WaitFor(kInterval);
  }
}

bool Retention::ClockIsSteady() {
  const absl::Time wall = context_.clock().Now();
  const absl::Duration uptime = context_.clock().Uptime();
  const absl::Duration drift = (wall - looked_wall_) - (uptime - looked_uptime_);
  looked_wall_ = wall;
  looked_uptime_ = uptime;
  if (absl::AbsDuration(drift) > kJump) {
    context_.log().Warning("clock_jumped", {{"seconds", absl::ToDoubleSeconds(drift)}});
    steady_from_ = uptime + kMistrust;
  }
  return uptime >= steady_from_;
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
