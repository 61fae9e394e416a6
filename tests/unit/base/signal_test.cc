#include "server/base/signal.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <vector>

#include "tests/fakes/manual_clock.h"

namespace lumaedit {
namespace {

namespace asio = boost::asio;

class SignalTest : public testing::Test {
 protected:
  // Begins a wait; the answer is set when it is over.
  std::shared_ptr<std::optional<bool>> Wait(absl::Duration timeout) {
    auto answer = std::make_shared<std::optional<bool>>();
    asio::co_spawn(
        io_,
        [this, answer, timeout]() -> asio::awaitable<void> {
          *answer = co_await signal_.WaitFor(timeout);
        },
        asio::detached);
    Poll();
    return answer;
  }
  void Poll() {
    io_.restart();
    io_.poll();
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    Poll();
  }

  asio::io_context io_;
  ManualClock clock_{absl::UnixEpoch()};
  Signal signal_{io_.get_executor(), clock_};
};

TEST_F(SignalTest, NotifyEndsTheWait) {
  const auto answer = Wait(absl::Seconds(5));
  EXPECT_FALSE(answer->has_value());
  signal_.Notify();
  Poll();
  EXPECT_EQ(*answer, true);
  EXPECT_FALSE(clock_.NextDue().has_value());
}

TEST_F(SignalTest, TimeEndsTheWait) {
  const auto answer = Wait(absl::Seconds(5));
  Advance(absl::Milliseconds(4999));
  EXPECT_FALSE(answer->has_value());
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(*answer, false);
}

TEST_F(SignalTest, ANudgeBeforeTheWaitIsNotLost) {
  signal_.Notify();
  signal_.Notify();
  EXPECT_EQ(*Wait(absl::Seconds(5)), true);
  EXPECT_FALSE(Wait(absl::Seconds(5))->has_value());  // two nudges are one
  signal_.Notify();
  Poll();
}

TEST_F(SignalTest, ANudgeAtTheSameInstantAsTheTimeCounts) {
  const auto answer = Wait(absl::Seconds(5));
  clock_.Advance(absl::Seconds(5));
  signal_.Notify();
  Poll();
  EXPECT_EQ(*answer, true);
}

TEST_F(SignalTest, ZeroTimeoutLooksOnce) {
  EXPECT_EQ(*Wait(absl::ZeroDuration()), false);
  EXPECT_EQ(*Wait(absl::Seconds(-1)), false);
}

TEST_F(SignalTest, WallTimeDoesNotEndTheWait) {
  const auto answer = Wait(absl::Seconds(5));
  clock_.JumpWallTime(absl::Hours(100));
  Poll();
  EXPECT_FALSE(answer->has_value());
  Advance(absl::Seconds(5));
  EXPECT_EQ(*answer, false);
}

TEST(SystemClockSignal, WaitsInRealTime) {
  asio::io_context io;
  SystemClock clock;
  Signal signal(io.get_executor(), clock);
  std::vector<bool> answers;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        answers.push_back(co_await signal.WaitFor(absl::Milliseconds(2)));
        asio::post(io, [&] { signal.Notify(); });
        answers.push_back(co_await signal.WaitFor(absl::Hours(1)));
      },
      asio::detached);
  io.run();
  EXPECT_EQ(answers, (std::vector<bool>{false, true}));
}

}  // namespace
}  // namespace lumaedit
