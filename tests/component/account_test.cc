// Upstream accounts and keys that change while jobs live: protocol.md section 4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;

PostScript Script(Kind kind, int http_status = 0) {
  PostScript script;
  script.kind = kind;
  script.http_status = http_status;
  return script;
}

TEST(Account, IsLearnedFromTheFirstRecordThatWeOwn) {
  SteppedWorld world;
  world.upstream.key = "key:1";
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kQueued));
  EXPECT_EQ(world.Get(job).upstream_account, "key:1");
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_EQ(world.Get(job).upstream_account, "account-1");
  EXPECT_EQ(world.View(job).attempts.front().account, "account-1");
  EXPECT_EQ(world.log.Count("upstream_account_learned"), 1);
  // And is known after a restart, from the first attempt on.
  world.Restart();
  const std::string next = world.Submit("b");
  ASSERT_TRUE(world.RunToState(next, kQueued));
  EXPECT_EQ(world.Get(next).upstream_account, "account-1");
}

TEST(Account, ANewKeyOfTheSameAccountGoesOn) {
  SteppedWorld world;
  world.upstream.isolates_accounts = true;
  world.upstream.key = "key:1";
  world.upstream.usual.record.course = {{absl::ZeroDuration(), "queued"},
                                        {absl::Minutes(10), "success"}};
  const std::string old = world.Submit("a");
  ASSERT_TRUE(world.RunToState(old, kQueued));
  world.RunFor(absl::Minutes(1));
  world.upstream.key = "key:2";
  const std::string next = world.Submit("b");
  ASSERT_TRUE(world.RunToEnd(old));
  EXPECT_EQ(world.State(old), kSucceeded);
  EXPECT_FALSE(world.Get(old).unreachable);
  ASSERT_TRUE(world.RunToEnd(next));
  EXPECT_EQ(world.Get(next).upstream_account, "account-1");
  EXPECT_EQ(world.View(next).attempts.front().account, "account-1");
}

// The key changes while a poll is under way, asked by id or by a page of the list: what comes is
// the old one's, and says neither whose the new key is nor, under it, what becomes of the jobs.
TEST(Account, WhatTheOldKeyReadTeachesNothingAboutTheNew) {
  for (const int jobs : {1, 40}) {
    SteppedWorld world;
    world.upstream.key = "key:1";
    world.upstream.usual.record.course = {{absl::ZeroDuration(), "queued"},
                                          {absl::Seconds(90), "success"}};
    for (int i = 0; i < jobs; ++i) world.Submit(std::to_string(i));
    world.RunFor(absl::Minutes(1));
    ASSERT_EQ(world.log.Count("upstream_account_learned"), 1);
    world.upstream.get_takes = world.upstream.list_takes = absl::Seconds(40);
    world.RunFor(absl::Seconds(31));
    world.upstream.key = "key:2";
    world.upstream.account = "account-2";
    // What was under way is answered; what is asked since is not.
    world.RunFor(absl::Seconds(39));
    EXPECT_EQ(world.log.Count("upstream_account_learned"), 1);
    world.upstream.isolates_accounts = true;
    world.RunFor(absl::Minutes(5));
    EXPECT_EQ(world.log.Count("upstream_account_learned"), 1);
    EXPECT_EQ(world.log.Count("upstream_account_differs"), 0);
  }
}

TEST(Account, ANewAccountTakesNewJobsAndLeavesTheOldOnesAsTheyAre) {
  SteppedWorld world;
  world.upstream.isolates_accounts = true;
  world.upstream.key = "key:1";
  const std::string old = world.Submit("a");
  ASSERT_TRUE(world.RunToState(old, kQueued));
  world.RunFor(absl::Seconds(3));
  ASSERT_EQ(world.Get(old).upstream_account, "account-1");
  world.upstream.key = "key:2";
  world.upstream.account = "account-2";
  const std::string next = world.Submit("b");
  ASSERT_TRUE(world.RunToEnd(next));
  EXPECT_EQ(world.Get(next).upstream_account, "account-2");
  world.RunFor(absl::Minutes(5));
  const int lists = world.upstream.lists();
  world.RunFor(absl::Hours(6));
  EXPECT_EQ(world.upstream.lists(), lists) << "the new account's list has nothing to say about it";
  EXPECT_FALSE(world.Get(old).state == kExpired);
  EXPECT_TRUE(world.Get(old).unreachable);
  EXPECT_GE(world.log.Count("job_unreachable"), 1);
  EXPECT_EQ(world.upstream.accepted().size(), 2u);
  // The old key comes back.
  world.upstream.key = "key:1";
  world.upstream.account = "account-1";
  ASSERT_TRUE(world.RunToEnd(old));
  EXPECT_EQ(world.State(old), kSucceeded);
  EXPECT_FALSE(world.Get(old).unreachable);
}

// Only a job in doubt is left of the old key: the new key's own list shows whose it is.
TEST(Account, AJobInDoubtIsFoundWithANewKeyOfTheSameAccount) {
  SteppedWorld world;
  world.upstream.isolates_accounts = true;
  world.upstream.key = "key:1";
  const std::string done = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(done));
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string lost = world.Submit("b");
  ASSERT_TRUE(world.RunToState(lost, kUnconfirmed));
  world.upstream.key = "key:2";
  ASSERT_TRUE(world.RunToEnd(lost));
  EXPECT_EQ(world.State(lost), kSucceeded);
  EXPECT_EQ(world.upstream.accepted().size(), 2u);
}

// Under a key that is not learned an equal payload in doubt elsewhere may be the same account's.
TEST(Account, AnEqualPayloadWaitsAcrossAChangeOfKey) {
  SteppedWorld world;
  world.upstream.isolates_accounts = true;
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string first = world.Submit("same");
  ASSERT_TRUE(world.RunToState(first, kUnconfirmed));
  world.upstream.key = "key:2";
  world.upstream.account = "account-2";
  const std::string second = world.Submit("same", "caller-2");
  world.RunFor(absl::Minutes(5));
  EXPECT_EQ(world.State(second), kPending);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
  ASSERT_TRUE(world.RunToState(first, kHeld));
  EXPECT_TRUE(world.Get(first).unreachable);
  ASSERT_TRUE(world.RunToEnd(second));
  EXPECT_EQ(world.State(second), kSucceeded);
  EXPECT_EQ(world.State(first), kHeld);
}

TEST(Account, AChangedKeyEndsThePauseOfARefusedOne) {
  SteppedWorld world;
  world.upstream.key = "key:1";
  world.upstream.usual = Script(Kind::kEveryoneRefused, 401);
  world.upstream.on_list = [](const ListQuery&) {
    ListResult refused;
    refused.failure = ReadFailure::kKeyRefused;
    refused.http_status = 401;
    return refused;
  };
  const std::string job = world.Submit("a");
  world.RunFor(absl::Minutes(30));
  EXPECT_EQ(world.State(job), kPending);
  EXPECT_EQ(world.Get(job).refusals, 0);
  EXPECT_LE(world.upstream.posts().size(), 9u);
  world.upstream.usual = PostScript{};
  world.upstream.on_list = nullptr;
  world.upstream.key = "key:2";
  ASSERT_TRUE(world.RunUntil([&] { return world.State(job) != kPending; }, absl::Seconds(10)));
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

}  // namespace
}  // namespace lumaedit
