// JobStore: upstream accounts that are learned late, what blocks an upload, and jobs that are asked
// about after their end (protocol.md sections 1, 3 and 4).
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/contract/job_store_suite.h"

namespace lumaedit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kKeyName[] = "key:0123456789abcdef";

Attempt Under(Attempt attempt, const std::string& account) {
  attempt.account = account;
  return attempt;
}

TEST_P(JobStoreSuite, WhatStandsUnderAKeyMovesToItsAccount) {
  const Lease lease = Acquired();
  const Job accepted = Inserted();
  ASSERT_TRUE(store().Seal(lease, Under(AttemptFor(accepted, "a"), kKeyName)).ok());
  ASSERT_TRUE(Move(
                  accepted.id, &lease, JobState::kQueued,
                  [](Job& j) {
                    j.upstream_account = kKeyName;
                    j.upstream_id = "up-1";
                  },
                  1)
                  .ok());
  const Job in_doubt = Inserted();
  ASSERT_TRUE(store().Seal(lease, Under(AttemptFor(in_doubt, "b"), kKeyName)).ok());

  ASSERT_TRUE(store().MoveAccount(kKeyName, kAccount).ok());
  EXPECT_EQ(store().View(accepted.id)->job.upstream_account, kAccount);
  EXPECT_EQ(store().View(accepted.id)->attempts[0].account, kAccount);
  EXPECT_EQ(store().View(in_doubt.id)->attempts[0].account, kAccount);
  EXPECT_THAT(*store().UnboundAttempts(kAccount), SizeIs(1));
  // Asked under the key's name, the same answer.
  EXPECT_THAT(*store().UnboundAttempts(kKeyName), SizeIs(1));
  const auto names = store().AccountNames();
  ASSERT_TRUE(names.ok());
  ASSERT_THAT(*names, SizeIs(1));
  EXPECT_EQ(names->front().name, kKeyName);
  EXPECT_EQ(names->front().account, kAccount);

  // The account's guard holds for what came from the key, and a late seal under it is placed right.
  EXPECT_TRUE(absl::IsAlreadyExists(store().Seal(lease, AttemptFor(Inserted(), "b")).status()));
  const Job late = Inserted();
  ASSERT_TRUE(store().Seal(lease, Under(AttemptFor(late, "c"), kKeyName)).ok());
  EXPECT_EQ(store().View(late.id)->attempts[0].account, kAccount);
  const auto stolen = Move(late.id, &lease, JobState::kQueued, [](Job& j) {
    j.upstream_account = kAccount;
    j.upstream_id = "up-1";
  });
  EXPECT_TRUE(absl::IsAlreadyExists(stolen.status()));

  harness_->Reopen();
  EXPECT_THAT(*store().AccountNames(), SizeIs(1));
}

TEST_P(JobStoreSuite, RecentAccountsAreThoseOfTheNewestSeals) {
  EXPECT_THAT(*store().RecentAccounts(absl::Hours(24)), IsEmpty());
  const Lease lease = Acquired();
  ASSERT_TRUE(store().Seal(lease, Under(AttemptFor(Inserted(), "a"), "long ago")).ok());
  clock().Advance(absl::Hours(25));
  const absl::Time accepted = Now();
  Accepted(lease, Inserted(), "up-1");
  clock().Advance(absl::Hours(23));
  ASSERT_TRUE(store().Seal(lease, Under(AttemptFor(Inserted(), "b"), "now")).ok());
  auto accounts = store().RecentAccounts(absl::Hours(24));
  ASSERT_TRUE(accounts.ok()) << accounts.status();
  std::sort(accounts->begin(), accounts->end(),
            [](const AccountUse& a, const AccountUse& b) { return a.account < b.account; });
  ASSERT_THAT(*accounts, SizeIs(2));
  EXPECT_EQ(accounts->front().account, kAccount);
  EXPECT_EQ(accounts->front().newest_accepted, accepted);
  EXPECT_EQ(accounts->back().account, "now");
  EXPECT_EQ(accounts->back().newest_accepted, absl::InfinitePast());
  EXPECT_THAT(*store().RecentAccounts(absl::Hours(1000)), SizeIs(3));
}

TEST_P(JobStoreSuite, AKeyWhoseMoveWouldGiveAnIdTwoOwnersStaysWhereItIs) {
  const Lease lease = Acquired();
  Accepted(lease, Inserted(), "up-1");
  const Job other = Inserted();
  ASSERT_TRUE(store().Seal(lease, Under(AttemptFor(other, "b"), kKeyName)).ok());
  ASSERT_TRUE(Move(
                  other.id, &lease, JobState::kQueued,
                  [](Job& j) {
                    j.upstream_account = kKeyName;
                    j.upstream_id = "up-1";
                  },
                  1)
                  .ok());
  EXPECT_TRUE(absl::IsAlreadyExists(store().MoveAccount(kKeyName, kAccount)));
  EXPECT_EQ(store().View(other.id)->job.upstream_account, kKeyName);
  EXPECT_EQ(store().View(other.id)->attempts[0].account, kKeyName);
  EXPECT_THAT(*store().AccountNames(), IsEmpty());
}

TEST_P(JobStoreSuite, TwoEqualPayloadsInDoubtDoNotStopAMove) {
  const Lease lease = Acquired();
  const Job first = Inserted();
  ASSERT_TRUE(store().Seal(lease, AttemptFor(first, "same")).ok());
  const Job second = Inserted();
  ASSERT_TRUE(store().Seal(lease, Under(AttemptFor(second, "same"), kKeyName)).ok());
  ASSERT_TRUE(store().MoveAccount(kKeyName, kAccount).ok());
  EXPECT_THAT(*store().UnboundAttempts(kAccount), SizeIs(2));
  EXPECT_TRUE(*store().IsBlocked(kAccount, "same"));
  EXPECT_TRUE(absl::IsAlreadyExists(store().Seal(lease, AttemptFor(Inserted(), "same")).status()));
}

TEST_P(JobStoreSuite, NamesOfANameMoveOnWithIt) {
  ASSERT_TRUE(store().MoveAccount("key:1", "key:2").ok());
  ASSERT_TRUE(store().MoveAccount("key:2", kAccount).ok());
  const auto names = *store().AccountNames();
  for (const AccountName& name : names) EXPECT_EQ(name.account, kAccount);
  EXPECT_THAT(names, SizeIs(2));
}

TEST_P(JobStoreSuite, AnOwnedIdTellsWhenItsRecordWasMade) {
  const Lease lease = Acquired();
  const Job job = Inserted();
  clock().Advance(absl::Seconds(3));
  Accepted(lease, job, "up-1");
  const auto owned = store().OwnedIds({"up-1", "up-2"});
  ASSERT_TRUE(owned.ok());
  ASSERT_THAT(*owned, SizeIs(1));
  EXPECT_EQ(owned->front().account, kAccount);
  EXPECT_EQ(owned->front().create_time, job.create_time);
  EXPECT_EQ(owned->front().accept_time, Now());
}

TEST_P(JobStoreSuite, APayloadIsBlockedWhileItsJobIsInDoubt) {
  const Lease lease = Acquired();
  const Job job = Inserted();
  EXPECT_FALSE(*store().IsBlocked(kAccount, "a"));
  ASSERT_TRUE(store().Seal(lease, AttemptFor(job, "a")).ok());
  EXPECT_TRUE(*store().IsBlocked(kAccount, "a"));
  EXPECT_TRUE(*store().IsBlocked("", "a"));
  EXPECT_FALSE(*store().IsBlocked(kAccount, "b"));
  EXPECT_FALSE(*store().IsBlocked("account-2", "a"));
  ASSERT_TRUE(Move(job.id, &lease, JobState::kUnconfirmed).ok());
  EXPECT_TRUE(*store().IsBlocked(kAccount, "a"));
  ASSERT_TRUE(Move(job.id, &lease, JobState::kHeld).ok());
  EXPECT_FALSE(*store().IsBlocked(kAccount, "a"));
  EXPECT_FALSE(*store().IsBlocked("", "a"));
}

TEST_P(JobStoreSuite, ExpiredJobsAreFoundUntilTheirOutcomeIsKnown) {
  const Lease lease = Acquired();
  std::vector<std::string> ids;
  for (const char* upstream_id : {"up-1", "up-2", "up-3"}) {
    const Job job = Accepted(lease, Inserted(), upstream_id);
    ASSERT_TRUE(Move(job.id, &lease, JobState::kExpired).ok());
    ids.push_back(job.id);
    clock().Advance(absl::Hours(1));
  }
  const Job done = Accepted(lease, Inserted(), "up-4");
  ASSERT_TRUE(Move(done.id, &lease, JobState::kSucceeded).ok());
  const auto found = [&](absl::Time ended_after) {
    std::vector<std::string> seen;
    std::string after;
    for (;;) {
      const auto page = store().ExpiredJobs(ended_after, after, 2);
      EXPECT_TRUE(page.ok()) << page.status();
      for (const LiveJob& job : *page) seen.push_back(job.id);
      if (page->size() < 2) return seen;
      after = page->back().id;
    }
  };
  EXPECT_THAT(found(absl::UnixEpoch()), testing::UnorderedElementsAreArray(ids));
  EXPECT_THAT(found(Now() - absl::Minutes(90)), ElementsAre(ids[2]));
  // Settled without a transition.
  ASSERT_TRUE(Move(ids[2], nullptr, JobState::kExpired, [&](Job& j) {
                j.late_outcome_time = Now();
                j.charge.state = ChargeState::kIncurred;
              }).ok());
  EXPECT_EQ(store().View(ids[2])->job.sequence, 4);  // pending, submitting, queued, expired
  EXPECT_THAT(found(Now() - absl::Minutes(90)), IsEmpty());
}

}  // namespace
}  // namespace lumaedit
