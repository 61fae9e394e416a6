// SIGKILL at each named point of base/crash_point.h: the next process ends every job, and no POST
// is accepted twice (rules 1 to 3).
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "server/job/state_rules.h"
#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

#if defined(LUMAEDIT_CRASH_POINTS)

constexpr char kChildFolder[] = "LUMAEDIT_CRASH_TEST_FOLDER";
constexpr char kChildLoses[] = "LUMAEDIT_CRASH_TEST_LOSES";
const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

class CrashPointTest : public testing::TestWithParam<const char*> {
 protected:
  std::string data() const { return folder_.path() + "/data"; }
  LedgerFile ledger() const { return LedgerFile(folder_.path() + "/ledger"); }
  static bool LosesTheAnswer() { return std::string_view(GetParam()).substr(0, 9) == "reconcile"; }

  // Starts this program anew, since the crash point is read once in a process.
  [[noreturn]] void BecomeChild() {
    setenv("LUMAEDIT_CRASH_AT", GetParam(), 1);
    setenv("TMPDIR", folder_.path().c_str(), 1);  // it will not tidy up
    setenv(kChildFolder, folder_.path().c_str(), 1);
    setenv(kChildLoses, LosesTheAnswer() ? "1" : "0", 1);
    execl("/proc/self/exe", "engine_test", "--gtest_filter=CrashChild.*", nullptr);
    _exit(127);
  }

  TempFolder folder_;
};

// The other half of the test below: ends by SIGKILL, or fails when the point was never passed.
TEST(CrashChild, RunsUntilItIsKilled) {
  const char* folder = std::getenv(kChildFolder);
  if (folder == nullptr) GTEST_SKIP() << "started by CrashPointTest only";
  WorldOptions options;
  options.data_folder = std::string(folder) + "/data";
  options.start = kStart;
  SteppedWorld world(options);
  world.upstream.KeepLedger(LedgerFile(std::string(folder) + "/ledger"));
  if (std::string_view(std::getenv(kChildLoses)) == "1") {
    world.upstream.usual.kind = PostScript::Kind::kLoseAnswer;
  }
  const std::string job = world.Submit("a");
  const auto watcher = world.Watch(job);
  world.RunToEnd(job);
  FAIL() << "the point was never passed";
}

TEST_P(CrashPointTest, NothingIsLostAndNothingIsSentTwice) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) BecomeChild();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended with " << WEXITSTATUS(status);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);

  WorldOptions options;
  options.data_folder = data();
  options.start = kStart + absl::Seconds(30);
  options.seed = 2;
  SteppedWorld world(options);
  world.upstream.KeepLedger(ledger());
  auto page = world.store().List("caller-1", {}, std::nullopt, 10);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->jobs.size(), 1u);
  const std::string job = page->jobs[0].id;
  const auto watcher = world.Watch(job);
  ASSERT_TRUE(world.RunUntil(
      [&] { return IsFinal(world.State(job)) || world.State(job) == JobState::kHeld; },
      absl::Hours(1)));
  world.RunFor(absl::Hours(1));

  const std::vector<JobState> path = world.Path(job);
  ASSERT_EQ(watcher->seen().size(), path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    EXPECT_EQ(watcher->seen()[i].sequence, static_cast<int>(i) + 1);
    EXPECT_EQ(watcher->seen()[i].state, path[i]);
  }
  EXPECT_LE(world.upstream.accepted().size(), 1u);
  EXPECT_LE(ledger().Read().size(), 1u);
  // Sealed, and killed before the last byte: nothing tells that from a lost answer, so it is held.
  // The first publication to the watcher is that of the seal.
  const std::string_view point = GetParam();
  const bool in_doubt = point == "dispatch.sealed" || point == "publish.committed";
  EXPECT_EQ(world.State(job), in_doubt ? JobState::kHeld : JobState::kSucceeded);
  EXPECT_EQ(world.upstream.accepted().size(), in_doubt ? 0u : 1u);
}

INSTANTIATE_TEST_SUITE_P(AllPoints, CrashPointTest,
                         testing::Values("submit.committed", "dispatch.body_sent",
                                         "dispatch.sealed", "dispatch.last_byte",
                                         "dispatch.answered", "dispatch.recorded",
                                         "reconcile.matched", "reconcile.adopted", "poll.answered",
                                         "poll.committed", "publish.committed",
                                         "publish.committed:2"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (c == '.' || c == ':') c = '_';
                           }
                           return name;
                         });

#else

TEST(CrashPointTest, NeedsCrashPoints) { GTEST_SKIP() << "built without LUMAEDIT_CRASH_POINTS"; }

#endif

}  // namespace
}  // namespace lumaedit
