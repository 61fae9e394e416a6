// Every watcher sees 1..n in order, once: protocol.md section 6.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;

void ExpectInOrder(const std::vector<Transition>& seen, int first, int last) {
  ASSERT_EQ(static_cast<int>(seen.size()), last - first + 1);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].sequence, first + static_cast<int>(i));
  }
}

TEST(Watch, FromTheStartFromTheMiddleAndAfterTheEnd) {
  SteppedWorld world;
  PostScript lost;
  lost.kind = PostScript::Kind::kLoseAnswer;
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  const auto early = world.Watch(job);
  ASSERT_TRUE(world.RunToState(job, kUnconfirmed));
  const auto middle = world.Watch(job, 2);
  ASSERT_TRUE(world.RunToEnd(job));
  const auto late = world.Watch(job);
  const auto after = world.Watch(job, 6);
  world.Settle();
  ExpectInOrder(early->seen(), 1, 6);
  ExpectInOrder(middle->seen(), 3, 6);
  ExpectInOrder(late->seen(), 1, 6);
  EXPECT_TRUE(after->seen().empty());
  EXPECT_EQ(early->seen(), late->seen());  // live and replayed are the same
  EXPECT_EQ(early->seen().back().state, kSucceeded);
  EXPECT_TRUE(early->seen().back().outcome.has_value());
}

TEST(Watch, ThroughARestart) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  auto first = world.Watch(job);
  ASSERT_TRUE(world.RunToState(job, kQueued));
  world.Settle();
  std::vector<Transition> all = first->seen();
  first.reset();
  world.Restart();
  const auto second = world.Watch(job, all.back().sequence);
  ASSERT_TRUE(world.RunToEnd(job));
  world.Settle();
  all.insert(all.end(), second->seen().begin(), second->seen().end());
  ExpectInOrder(all, 1, 5);
}

TEST(Watch, BeyondTheNewestIsRefused) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  absl::Status status;
  world.service().Watch(
      "caller-1", job, 2, std::weak_ptr<Watcher>(),
      Reply<WatchStart>([&](absl::StatusOr<WatchStart> answer) { status = answer.status(); }));
  EXPECT_TRUE(absl::IsOutOfRange(status));
  EXPECT_EQ(DetailOf(status).metadata.at("newest_sequence"), "1");
  world.service().Watch(
      "stranger", job, 0, std::weak_ptr<Watcher>(),
      Reply<WatchStart>([&](absl::StatusOr<WatchStart> answer) { status = answer.status(); }));
  EXPECT_TRUE(absl::IsNotFound(status));
}

TEST(Watch, FeedsOfEndedJobsLeaveMemory) {
  SteppedWorld world;
  const std::string job = world.Submit("a");
  auto watcher = world.Watch(job);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.hub().feed_count(), 1u);
  watcher.reset();
  world.RunFor(absl::Minutes(2));
  EXPECT_EQ(world.hub().feed_count(), 0u);
}

}  // namespace
}  // namespace lumaedit
