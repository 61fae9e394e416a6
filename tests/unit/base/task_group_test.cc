#include "server/base/task_group.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <stdexcept>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"

namespace lumaedit {
namespace {

namespace asio = boost::asio;

class TaskGroupTest : public testing::Test {
 protected:
  asio::awaitable<void> Sleep(absl::Duration time) {
    Signal wait(io_.get_executor(), clock_);
    co_await wait.WaitFor(time);
    ++done_;
  }
  asio::awaitable<void> Throw() {
    throw std::runtime_error("broken");
    co_return;
  }
  asio::awaitable<void> SpawnInner() {
    group_.Spawn("inner", Sleep(absl::Seconds(1)));
    co_return;
  }
  std::shared_ptr<std::optional<bool>> Join(absl::Duration timeout) {
    auto answer = std::make_shared<std::optional<bool>>();
    asio::co_spawn(
        io_,
        [this, answer, timeout]() -> asio::awaitable<void> {
          *answer = co_await group_.Join(timeout);
        },
        asio::detached);
    Poll();
    return answer;
  }
  void Poll() {
    io_.restart();
    io_.poll();
  }
  void RunFor(absl::Duration time) {
    const absl::Duration end = clock_.Uptime() + time;
    for (Poll(); clock_.Uptime() < end; Poll()) {
      const absl::Duration left = end - clock_.Uptime();
      clock_.Advance(std::min(left, clock_.NextDue().value_or(left)));
    }
  }

  asio::io_context io_;
  ManualClock clock_{absl::UnixEpoch()};
  RecordingLog log_;
  TaskGroup group_{io_.get_executor(), clock_, log_};
  int done_ = 0;
};

TEST_F(TaskGroupTest, JoinWaitsForTheLast) {
  for (int i = 1; i <= 5; ++i) group_.Spawn("sleep", Sleep(absl::Seconds(i)));
  const auto joined = Join(absl::Minutes(1));
  RunFor(absl::Milliseconds(4900));
  EXPECT_FALSE(joined->has_value());
  RunFor(absl::Milliseconds(200));
  EXPECT_EQ(*joined, true);
  EXPECT_EQ(done_, 5);
}

TEST_F(TaskGroupTest, JoinGivesUp) {
  group_.Spawn("sleep", Sleep(absl::Hours(1)));
  const auto joined = Join(absl::Seconds(10));
  RunFor(absl::Milliseconds(9900));
  EXPECT_FALSE(joined->has_value());
  RunFor(absl::Milliseconds(200));
  EXPECT_EQ(*joined, false);
  group_.CancelAll();
  Poll();
}

// Each end of a task wakes the waiter: many of them must not use its patience up.
TEST_F(TaskGroupTest, ManyEndsDoNotShortenTheWait) {
  for (int i = 1; i <= 1000; ++i) group_.Spawn("sleep", Sleep(absl::Milliseconds(i)));
  const auto joined = Join(absl::Seconds(10));
  RunFor(absl::Seconds(2));
  EXPECT_EQ(*joined, true);
  EXPECT_EQ(done_, 1000);
}

TEST_F(TaskGroupTest, CancelAllEndsWaits) {
  for (int i = 0; i < 3; ++i) group_.Spawn("sleep", Sleep(absl::Hours(1)));
  Poll();
  EXPECT_EQ(group_.size(), 3u);
  group_.CancelAll();
  Poll();
  EXPECT_EQ(group_.size(), 0u);
  EXPECT_EQ(done_, 0);
  EXPECT_TRUE(log_.lines().empty());
}

TEST_F(TaskGroupTest, AnExceptionIsLoggedAndTold) {
  std::string told;
  group_.Spawn("bad", Throw(), [&](const std::string& name) { told = name; });
  Poll();
  EXPECT_EQ(told, "bad");
  EXPECT_EQ(log_.Count("task_failed"), 1);
  EXPECT_EQ(group_.size(), 0u);
}

TEST_F(TaskGroupTest, ATaskMaySpawnOthers) {
  group_.Spawn("outer", SpawnInner());
  const auto joined = Join(absl::Seconds(10));
  RunFor(absl::Seconds(2));
  EXPECT_EQ(*joined, true);
  EXPECT_EQ(done_, 1);
}

TEST(CountedPlace, IsGivenBack) {
  int count = 0;
  {
    CountedPlace place(count);
    EXPECT_EQ(count, 1);
  }
  EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace lumaedit
