// Each change that the store makes to its files fails in turn, in the middle of the lives of a few
// jobs, or of a start: nothing that was acknowledged is lost, nothing is sent twice, and all comes
// to its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
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

// Job ids by prompt: each has another fate before it.
std::map<std::string, std::string> SubmitAll(SteppedWorld& world) {
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
  return jobs;
}

void RunToTheEnds(SteppedWorld& world, const std::map<std::string, std::string>& jobs) {
  EXPECT_TRUE(world.RunUntil(
      [&] {
        return std::all_of(jobs.begin(), jobs.end(),
                           [&](const auto& job) { return IsFinal(world.State(job.second)); });
      },
      absl::Hours(2)));
}

std::map<std::string, std::string> Live(SteppedWorld& world) {
  auto jobs = SubmitAll(world);
  CancelUntilAnswered(world, jobs["cancelled"]);
  RunToTheEnds(world, jobs);
  return jobs;
}

// As a supervisor does it. True when the first try failed.
bool StartUntilUp(SteppedWorld& world) {
  absl::Status started = world.TryStart();
  const bool failed = !started.ok();
  for (int tries = 1; tries < 20 && !started.ok(); ++tries) {
    EXPECT_TRUE(absl::IsUnavailable(started)) << started;
    world.clock.Advance(absl::Seconds(20));  // a lease that was not given back runs out
    started = world.TryStart();
  }
  EXPECT_TRUE(started.ok()) << started;
  return failed;
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

// The changes of a start on an empty folder, and one after a crash in the middle of everything.
struct StartFault {
  int changes = 0;
  int failed = 0;
};

void StartWithFault(int first, int more, FaultVfs::Kind kind, bool afresh, StartFault& seen) {
  SCOPED_TRACE(testing::Message() << "change " << first << " and " << more << " more");
  FaultVfs::Heal();
  WorldOptions options = OnTheFaultLayer();
  options.start_engine = !afresh;
  SteppedWorld world(options);
  std::map<std::string, std::string> jobs;
  if (!afresh) {
    jobs = SubmitAll(world);
    CancelUntilAnswered(world, jobs["cancelled"]);
    world.RunFor(absl::Seconds(3));
    world.Stop();
  }
  FaultVfs::FailAt(first, more, kind);
  if (StartUntilUp(world)) ++seen.failed;
  if (first == 0) seen.changes = FaultVfs::Changes();
  FaultVfs::Heal();
  if (afresh) {
    EXPECT_TRUE(world.RunToEnd(SubmitUntilTaken(world, world.Request("first"))));
    return;
  }
  RunToTheEnds(world, jobs);
  Check(world, jobs);
}

class StartFaults : public testing::TestWithParam<std::tuple<bool, int>> {};

TEST_P(StartFaults, AnyChangeMayFailOrTheDiskBeFullFromItOn) {
  const auto [afresh, shard] = GetParam();
  StartFault seen;
  StartWithFault(0, 0, FaultVfs::Kind::kBroken, afresh, seen);
  ASSERT_GE(seen.changes, 5);
  ASSERT_EQ(seen.failed, 0);
  for (int first = 1 + shard; first <= seen.changes && !HasFailure(); first += kShards) {
    StartWithFault(first, 0, FaultVfs::Kind::kBroken, afresh, seen);
    StartWithFault(first, 7, FaultVfs::Kind::kFull, afresh, seen);
  }
  // The first change is the start's own; the last ones may be of what goes on behind it.
  EXPECT_TRUE(seen.failed > 0 || shard > 0);
}

INSTANTIATE_TEST_SUITE_P(Folders, StartFaults,
                         testing::Combine(testing::Bool(), testing::Range(0, kShards)),
                         [](const auto& info) {
                           return absl::StrCat(
                               std::get<0>(info.param) ? "EmptyFolder" : "AfterACrash",
                               std::get<1>(info.param));
                         });

INSTANTIATE_TEST_SUITE_P(Shards, StorageFault, testing::Range(0, kShards));

}  // namespace
}  // namespace lumaedit
