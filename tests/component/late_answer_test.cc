// An answer that comes after `answer_wait` decides about its job, and teaches the dispatcher what
// it would have taught in time, once (protocol.md section 3: breaker, pace, pause).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;
using testing::SizeIs;

PostScript Late(Kind kind, absl::Duration after) {
  PostScript script;
  script.kind = kind;
  script.answer_after = after;
  return script;
}

TEST(LateAnswer, ARefusalOfEverybodyPausesDispatch) {
  for (const int status : {401, 402}) {
    SCOPED_TRACE(status);
    SteppedWorld world;
    PostScript refused = Late(Kind::kEveryoneRefused, absl::Seconds(150));
    refused.http_status = status;
    world.upstream.Script(refused);
    const std::string job = world.Submit("a");
    world.RunFor(absl::Seconds(140));
    ASSERT_EQ(world.State(job), kUnconfirmed);
    world.RunFor(absl::Seconds(11));
    ASSERT_EQ(world.State(job), kPending);
    const std::string other = world.Submit("b");
    world.RunFor(absl::Seconds(50));
    EXPECT_THAT(world.upstream.posts(), SizeIs(1));
    EXPECT_EQ(world.log.Count("dispatch_paused"), 1);
    EXPECT_TRUE(world.engine().Status().dispatch.refused);
    ASSERT_TRUE(world.RunToEnd(job));
    ASSERT_TRUE(world.RunToEnd(other));
    EXPECT_GE(world.upstream.posts()[1].time - world.upstream.posts()[0].time, absl::Seconds(210));
    EXPECT_LE(world.upstream.posts()[1].time - world.upstream.posts()[0].time, absl::Seconds(212));
    EXPECT_THAT(world.upstream.accepted(), SizeIs(2));
  }
}

TEST(LateAnswer, ARateLimitHoldsEverybodyAndTeachesThePace) {
  SteppedWorld world;
  PostScript limited = Late(Kind::kRateLimited, absl::Seconds(150));
  limited.retry_after = absl::Seconds(60);
  limited.rate_limit = RateLimit{.limit = 2, .interval = absl::Seconds(60)};
  world.upstream.Script(limited);
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(151));
  ASSERT_EQ(world.State(job), kPending);
  const std::string other = world.Submit("b");
  ASSERT_TRUE(world.RunToEnd(job));
  ASSERT_TRUE(world.RunToEnd(other));
  const auto& posts = world.upstream.posts();
  ASSERT_THAT(posts, SizeIs(3));
  EXPECT_GE(posts[1].time - posts[0].time, absl::Seconds(210));
  EXPECT_GE(posts[2].time - posts[1].time, absl::Seconds(25));
}

TEST(LateAnswer, AYesEndsTheDoubt) {
  SteppedWorld world;
  world.upstream.Script(Late(Kind::kAccept, absl::Seconds(130)));
  const std::string job = world.Submit("a");
  world.RunFor(absl::Seconds(121));
  EXPECT_TRUE(world.engine().Status().dispatch.one_at_a_time);
  world.RunFor(absl::Seconds(10));
  EXPECT_FALSE(world.engine().Status().dispatch.one_at_a_time);
  ASSERT_TRUE(world.RunToEnd(job));
}

TEST(LateAnswer, OneThatIsUnclearIsCountedOnce) {
  SteppedWorld world;
  world.upstream.Script(Late(Kind::kLoseRequest, absl::Seconds(130)));
  world.upstream.Script(Late(Kind::kLoseRequest, absl::ZeroDuration()));
  world.Submit("a");
  world.RunFor(absl::Seconds(140));
  world.Submit("b");
  world.RunFor(absl::Seconds(1));
  EXPECT_TRUE(world.engine().Status().dispatch.one_at_a_time);
  // Two in a row pause nothing.
  const std::string job = world.Submit("c");
  EXPECT_TRUE(world.RunToState(job, kQueued, absl::Seconds(5)));
}

}  // namespace
}  // namespace lumaedit
