// Dispatch off, everything else on: protocol.md section 5.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;

absl::Status SetPaused(SteppedWorld& world, bool paused) {
  absl::Status result = absl::UnknownError("not called");
  boost::asio::co_spawn(
      world.io,
      [&]() -> boost::asio::awaitable<void> {
        if (paused) {
          result = co_await world.engine().PauseDispatch();
        } else {
          result = co_await world.engine().ResumeDispatch();
        }
      },
      boost::asio::detached);
  world.Settle();
  return result;
}

TEST(Pause, NothingIsSentAndTheRestGoesOn) {
  SteppedWorld world;
  const std::string running = world.Submit("running");
  ASSERT_TRUE(world.RunToState(running, kQueued));
  ASSERT_TRUE(SetPaused(world, true).ok());
  const std::string waiting = world.Submit("waiting");
  SubmitRequest impatient = world.Request("impatient");
  impatient.options.start_within = absl::Minutes(2);
  const std::string unstarted = world.Submit(impatient);
  ASSERT_TRUE(world.RunToEnd(running));
  EXPECT_EQ(world.State(running), kSucceeded);
  ASSERT_TRUE(world.RunToEnd(unstarted));
  EXPECT_EQ(world.Get(unstarted).error->reason, ErrorReason::kStartWithinExceeded);
  world.RunFor(absl::Hours(1));
  EXPECT_EQ(world.State(waiting), kPending);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
  ASSERT_TRUE(SetPaused(world, false).ok());
  ASSERT_TRUE(world.RunToEnd(waiting));
  EXPECT_EQ(world.State(waiting), kSucceeded);
}

TEST(Pause, SurvivesARestart) {
  SteppedWorld world;
  ASSERT_TRUE(SetPaused(world, true).ok());
  const std::string job = world.Submit("a");
  world.Restart();
  EXPECT_TRUE(world.engine().dispatch_paused());
  world.RunFor(absl::Minutes(10));
  EXPECT_EQ(world.State(job), kPending);
  ASSERT_TRUE(SetPaused(world, false).ok());
  world.Restart();
  EXPECT_FALSE(world.engine().dispatch_paused());
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Pause, AnUploadUnderWayIsNotSealed) {
  SteppedWorld world;
  world.upstream.usual.upload = absl::Seconds(5);
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(1));
  ASSERT_TRUE(SetPaused(world, true).ok());
  world.RunFor(absl::Minutes(1));
  EXPECT_EQ(world.State(job), kPending);
  EXPECT_TRUE(world.upstream.accepted().empty());
  ASSERT_TRUE(SetPaused(world, false).ok());
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.upstream.accepted().size(), 1u);
}

}  // namespace
}  // namespace lumaedit
