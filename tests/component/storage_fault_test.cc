// Each change that the store makes to its files fails in turn, in the middle of the lives of a few
// jobs: nothing that was acknowledged is lost, nothing is sent twice, and all comes to its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "server/job/state_rules.h"
#include "tests/contract/fault_vfs.h"
#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;

WorldOptions OnTheFaultLayer() {
  WorldOptions options;
  options.vfs = FaultVfs::Name();
  return options;
}

PostScript Script(Kind kind) {
  PostScript script;
  script.kind = kind;
  return script;
}

// As a caller does it: the same request again until it is answered.
std::string SubmitUntilTaken(SteppedWorld& world, const SubmitRequest& request) {
  std::string job_id;
  for (int i = 0; i < 100 && job_id.empty(); ++i) {
    world.service().Submit(request, Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
                             if (answer.ok()) {
                               job_id = answer->job.id;
                             } else {
                               EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
                             }
                           }));
    if (job_id.empty()) world.RunFor(absl::Seconds(1));
  }
  EXPECT_FALSE(job_id.empty());
  return job_id;
}

void CancelUntilAnswered(SteppedWorld& world, const std::string& job_id) {
  bool answered = false;
  for (int i = 0; i < 100 && !answered; ++i) {
    world.service().Cancel("caller-1", job_id, "tester",
                           Reply<CancelAnswer>([&](absl::StatusOr<CancelAnswer> answer) {
                             answered = answer.ok();
                             if (!answered) {
                               EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
                             }
                           }));
    if (!answered) world.RunFor(absl::Seconds(1));
  }
  EXPECT_TRUE(answered);
}

// Job ids by prompt, all final.
std::map<std::string, std::string> Live(SteppedWorld& world) {
  std::map<std::string, std::string> jobs;
  world.upstream.ScriptFor("lost", Script(Kind::kLoseAnswer));
  world.upstream.ScriptFor("refused", Script(Kind::kEditRefused));
  PostScript limited = Script(Kind::kRateLimited);
  limited.retry_after = absl::Seconds(2);
  world.upstream.ScriptFor("limited", limited);
  PostScript slow;
  slow.upload = absl::Minutes(1);
  world.upstream.ScriptFor("cancelled", slow);
  for (const char* prompt : {"plain", "lost", "refused", "limited", "cancelled"}) {
    jobs[prompt] = SubmitUntilTaken(world, world.Request(prompt));
  }
  CancelUntilAnswered(world, jobs["cancelled"]);
  EXPECT_TRUE(world.RunUntil(
      [&] {
        return std::all_of(jobs.begin(), jobs.end(),
                           [&](const auto& job) { return IsFinal(world.State(job.second)); });
      },
      absl::Hours(2)));
  return jobs;
}

void Check(SteppedWorld& world, const std::map<std::string, std::string>& jobs) {
  std::map<std::string, int> accepted;
  for (const LedgerEntry& entry : world.upstream.accepted()) ++accepted[entry.payload.prompt];
  for (const auto& [prompt, job] : jobs) {
    EXPECT_LE(accepted[prompt], 1) << prompt;
    const auto path = world.Path(job);
    if (prompt == "refused") {
      EXPECT_EQ(path.back(), kFailed);
    } else if (prompt == "cancelled") {
      EXPECT_EQ(path.back(), kCancelled);
      EXPECT_EQ(accepted[prompt], 0);
    } else {
      EXPECT_EQ(path.back(), kSucceeded) << prompt;
      EXPECT_EQ(accepted[prompt], 1) << prompt;
    }
  }
  const absl::Time day =
      PeriodOf(BudgetWindow::kDay, world.Get(jobs.at("plain")).create_time).start;
  const auto budget = world.store().GetBudget("", day);
  ASSERT_TRUE(budget.ok()) << budget.status();
  EXPECT_EQ(budget->reserved_usd_micros, 0);
  EXPECT_EQ(budget->uncertain_usd_micros, 0);
  EXPECT_EQ(budget->incurred_usd_micros, 3 * world.Get(jobs.at("plain")).quote.max_usd_micros);
}

int ChangesOfALife() {
  FaultVfs::Heal();
  SteppedWorld world(OnTheFaultLayer());
  FaultVfs::Heal();
  const auto jobs = Live(world);
  const int changes = FaultVfs::Changes();
  Check(world, jobs);
  return changes;
}

constexpr int kShards = 8;

class StorageFault : public testing::TestWithParam<int> {
 protected:
  // Fails change number `first` and the `more` after it.
  void LiveWithFault(int first, int more, FaultVfs::Kind kind) {
    SCOPED_TRACE(testing::Message() << "change " << first << " and " << more << " more");
    FaultVfs::Heal();
    SteppedWorld world(OnTheFaultLayer());
    FaultVfs::FailAt(first, more, kind);
    const auto jobs = Live(world);
    FaultVfs::Heal();
    Check(world, jobs);
    world.Restart();
    Check(world, jobs);
  }
};

TEST_P(StorageFault, AnyChangeMayFailOnce) {
  const int changes = ChangesOfALife();
  ASSERT_GT(changes, 40);
  for (int first = 1 + GetParam(); first <= changes && !HasFailure(); first += kShards) {
    LiveWithFault(first, 0, FaultVfs::Kind::kBroken);
  }
}

TEST_P(StorageFault, TheDiskMayBeFullForAWhileFromAnyChangeOn) {
  const int changes = ChangesOfALife();
  for (int first = 1 + GetParam(); first <= changes && !HasFailure(); first += 3 * kShards) {
    LiveWithFault(first, 7, FaultVfs::Kind::kFull);
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, StorageFault, testing::Range(0, kShards));

}  // namespace
}  // namespace lumaedit
