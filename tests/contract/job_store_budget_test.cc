// Contract of JobStore: what a budget counts is always the sum over the jobs (protocol.md section
// 5).
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

#include "tests/contract/job_store_suite.h"

namespace lumaedit {
namespace {

// What the test knows of a job: where it counts, and as what.
struct Counted {
  std::string id;
  std::string caller;
  absl::Time window;
  absl::Time day;
  Charge charge;
};

using Window = std::pair<std::string, absl::Time>;

std::map<Window, Budget> Sums(const std::vector<Counted>& jobs) {
  std::map<Window, Budget> sums;
  const auto add = [](Budget& budget, const Charge& charge) {
    const std::int64_t amount = charge.amount.max_usd_micros;
    if (charge.state == ChargeState::kReserved) budget.reserved_usd_micros += amount;
    if (charge.state == ChargeState::kIncurred) budget.incurred_usd_micros += amount;
    if (charge.state == ChargeState::kUncertain) budget.uncertain_usd_micros += amount;
  };
  for (const Counted& job : jobs) {
    add(sums[{job.caller, job.window}], job.charge);
    add(sums[{"", job.day}], job.charge);
  }
  return sums;
}

std::int64_t Used(const Budget& budget) {
  return budget.reserved_usd_micros + budget.incurred_usd_micros + budget.uncertain_usd_micros;
}

TEST_P(JobStoreSuite, ABudgetIsTheSumOverItsJobsWhateverHappensToThem) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto up_to = [&](int most) {
    return static_cast<int>(std::uniform_int_distribution<>(0, most)(random));
  };
  const auto check = [&](const std::vector<Counted>& jobs) {
    for (const auto& [window, sum] : Sums(jobs)) {
      const auto budget = store().GetBudget(window.first, window.second);
      ASSERT_TRUE(budget.ok()) << budget.status();
      EXPECT_EQ(budget->reserved_usd_micros, sum.reserved_usd_micros) << window.first;
      EXPECT_EQ(budget->incurred_usd_micros, sum.incurred_usd_micros) << window.first;
      EXPECT_EQ(budget->uncertain_usd_micros, sum.uncertain_usd_micros) << window.first;
    }
  };

  std::vector<Counted> jobs;
  for (int step = 0; step < 400 && !HasFailure(); ++step) {
    if (jobs.empty() || up_to(3) == 0) {
      NewJob fresh = Fresh(up_to(1) == 0 ? kCaller : kOtherCaller);
      fresh.budget_window_start = window_start() + up_to(1) * absl::Hours(24 * 31);
      fresh.day_start = day_start() + up_to(2) * absl::Hours(24);
      const std::int64_t price = std::int64_t{1} + up_to(45'000'000);
      fresh.job.charge.amount = {price / 2, price};
      const std::int64_t limit = up_to(400'000'000);
      fresh.limits = {{fresh.job.caller, fresh.budget_window_start, limit}};
      const auto sums = Sums(jobs);
      const auto before = sums.find({fresh.job.caller, fresh.budget_window_start});
      const std::int64_t used = before == sums.end() ? 0 : Used(before->second);
      const auto inserted = store().Insert(fresh);
      EXPECT_EQ(inserted.ok(), used + price <= limit) << used << " + " << price << " of " << limit;
      if (inserted.ok()) {
        jobs.push_back({fresh.job.id, fresh.job.caller, fresh.budget_window_start, fresh.day_start,
                        fresh.job.charge});
      } else {
        EXPECT_TRUE(HasReason(inserted.status(), ErrorReason::kBudgetExceeded));
      }
    } else {
      Counted& job = jobs[static_cast<std::size_t>(up_to(static_cast<int>(jobs.size()) - 1))];
      const std::int64_t price =
          up_to(3) == 0 ? up_to(45'000'000) : job.charge.amount.max_usd_micros;
      job.charge = {static_cast<ChargeState>(1 + up_to(3)), {price / 2, price}};
      const auto change =
          Move(job.id, nullptr, JobState::kPending, [&](Job& j) { j.charge = job.charge; });
      ASSERT_TRUE(change.ok()) << change.status();
    }
    if (step % 20 == 0) check(jobs);
    if (step == 200) harness_->Reopen();
  }
  check(jobs);
}

}  // namespace
}  // namespace lumaedit
