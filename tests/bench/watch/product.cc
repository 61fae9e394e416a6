// The product: the real streams, hub, store and server; jobs are moved as the engine moves them.
#include <ctime>

#include "server/job/state_rules.h"
#include "tests/bench/watch/side.h"
#include "tests/wire/rpc/gateway.h"

namespace lumaedit::bench {
namespace {

GatewayOptions Options() {
  GatewayOptions options;
  options.rpc.watches_per_connection = 10'000;
  return options;
}

class Product final : public Side {
 public:
  std::string address() const override { return gateway_.address(); }
  std::string NewJob() override { return gateway_.SubmitOne(); }

  Moved Move(const std::string& job_id) override {
    return Commit(job_id, [](JobState now) {
      return now == JobState::kPending ? JobState::kSubmitting : JobState::kPending;
    });
  }
  Moved End(const std::string& job_id) override {
    return Commit(job_id, [](JobState) { return JobState::kCancelled; });
  }
  void Beat() override {}

 private:
  template <typename Next>
  Moved Commit(const std::string& job_id, const Next& next) {
    const auto change = gateway_.store().Update(
        job_id, nullptr, [&](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
          Decision decision;
          decision.job = view.job;
          decision.job.state = next(view.job.state);
          decision.job.charge.state = ChargeFor(decision.job.state, false, decision.job.error);
          return decision;
        });
    const std::int64_t time = Now();
    if (!change.ok()) std::abort();
    gateway_.hub().Publish(change->job, *change->transition);
    return {change->transition->sequence, time};
  }

  Gateway gateway_{Options()};
};

}  // namespace

std::int64_t Now() {
  timespec time = {};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::unique_ptr<Side> MakeProduct() { return std::make_unique<Product>(); }

}  // namespace lumaedit::bench
