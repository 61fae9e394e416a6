// Contract of JobStore: facts, attempts that bind, paging, purging.
#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "tests/contract/job_store_suite.h"

namespace lumaedit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

TEST_P(JobStoreSuite, FactsAreKeptInOrderAndOnce) {
  const Lease lease = Acquired();
  const Job job = Sealed(lease, Inserted());
  Fact unclear = FactOf(FactKind::kUnclear);
  unclear.record_time = Now();
  ASSERT_TRUE(store().RecordFact(job.id, 1, unclear, true).ok());
  const absl::Time first_end = Now();
  clock().Advance(absl::Seconds(9));
  unclear.record_time = Now();
  ASSERT_TRUE(store().RecordFact(job.id, 1, unclear, true).ok());
  Fact accepted = FactOf(FactKind::kAccepted);
  accepted.upstream_id = "up-1";
  accepted.upstream_status = "dispatched";
  accepted.outcome = Outcome{"https://v", "", "g", {}, Now()};
  accepted.error = JobError{ErrorReason::kUpstreamFailed, "m", "c", "u", false};
  accepted.retry_after = absl::Milliseconds(1500);
  accepted.record_time = Now();
  ASSERT_TRUE(store().RecordFact(job.id, 1, accepted, false).ok());
  harness_->Reopen();
  const auto view = store().View(job.id);
  ASSERT_TRUE(view.ok());
  unclear.record_time = first_end;
  EXPECT_THAT(view->attempts[0].facts, ElementsAre(unclear, accepted));
  EXPECT_EQ(view->attempts[0].end_time, first_end);
  EXPECT_TRUE(absl::IsNotFound(store().RecordFact(job.id, 2, unclear, true)));
  EXPECT_TRUE(absl::IsNotFound(store().RecordFact(random_.Uuid(), 1, unclear, true)));
}

TEST_P(JobStoreSuite, FactsAreNotFencedAndComeLateToo) {
  const Lease lease = Acquired();
  const Job job = Sealed(lease, Inserted());
  ASSERT_TRUE(store().Release(lease).ok());
  EXPECT_TRUE(store().RecordFact(job.id, 1, FactOf(FactKind::kUnclear), true).ok());
  harness_->LetLeasesExpire();
  const Lease next = Acquired("owner-2");
  ASSERT_TRUE(Move(job.id, &next, JobState::kFailed).ok());
  EXPECT_TRUE(store().RecordFact(job.id, 1, FactOf(FactKind::kAccepted), true).ok());
  EXPECT_THAT(store().View(job.id)->attempts[0].facts, SizeIs(2));
}

TEST_P(JobStoreSuite, AnAttemptIsUnboundUntilItIsBoundOrKnownNotAccepted) {
  const Lease lease = Acquired();
  const auto unbound = [&] {
    std::vector<std::string> ids;
    const auto attempts = store().UnboundAttempts(kAccount);
    EXPECT_TRUE(attempts.ok()) << attempts.status();
    for (const UnboundAttempt& item : *attempts) {
      EXPECT_EQ(item.caller, kCaller);
      ids.push_back(item.attempt.job_id);
    }
    return ids;
  };
  const Job refused = Sealed(lease, Inserted());
  const Job back = Sealed(lease, Inserted());
  const Job abandoned = Sealed(lease, Inserted());
  const Job adopted = Sealed(lease, Inserted());
  EXPECT_THAT(unbound(), UnorderedElementsAre(refused.id, back.id, abandoned.id, adopted.id));

  ASSERT_TRUE(store().RecordFact(refused.id, 1, FactOf(FactKind::kNotAccepted), true).ok());
  ASSERT_TRUE(store().RecordFact(back.id, 1, FactOf(FactKind::kRefusedInWords), true).ok());
  EXPECT_THAT(unbound(), UnorderedElementsAre(back.id, abandoned.id, adopted.id));
  ASSERT_TRUE(Move(back.id, &lease, JobState::kPending).ok());
  EXPECT_THAT(unbound(), UnorderedElementsAre(abandoned.id, adopted.id));

  const auto uncertain = [](Job& j) { j.charge.state = ChargeState::kUncertain; };
  ASSERT_TRUE(Move(abandoned.id, &lease, JobState::kUnconfirmed, uncertain).ok());
  ASSERT_TRUE(Move(abandoned.id, &lease, JobState::kHeld, uncertain).ok());
  ASSERT_TRUE(Move(abandoned.id, nullptr, JobState::kFailed, uncertain).ok());
  ASSERT_TRUE(Move(
                  adopted.id, &lease, JobState::kProcessing,
                  [](Job& j) {
                    j.upstream_account = kAccount;
                    j.upstream_id = "up-7";
                  },
                  1)
                  .ok());
  EXPECT_THAT(unbound(), ElementsAre(abandoned.id));
  EXPECT_EQ(store().UnboundAttempts(kAccount)->front().job_state, JobState::kFailed);
  EXPECT_EQ(store().View(adopted.id)->attempts[0].upstream_id, "up-7");
  EXPECT_THAT(*store().UnboundAttempts("account-2"), IsEmpty());

  // An acceptance that is seen late outweighs what was believed.
  ASSERT_TRUE(store().RecordFact(refused.id, 1, FactOf(FactKind::kAccepted), true).ok());
  EXPECT_THAT(unbound(), UnorderedElementsAre(abandoned.id, refused.id));
}

TEST_P(JobStoreSuite, WhatAPersonHasBoundGoesOnCompeting) {
  const Lease lease = Acquired();
  const Job job = Sealed(lease, Inserted());
  const Job doubt = Sealed(lease, Inserted());
  const auto bound = store().Update(
      job.id, nullptr, [](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
        Decision decision;
        decision.job = view.job;
        decision.job.state = JobState::kFailed;
        decision.job.charge.state = ChargeState::kReleased;
        decision.job.upstream_account = kAccount;
        decision.job.upstream_id = "up-1";
        decision.bind_attempt = 1;
        decision.by_hand = HandBinding::kUnknownEcho;
        return decision;
      });
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(store().View(job.id)->attempts[0].by_hand, HandBinding::kUnknownEcho);
  EXPECT_EQ(store().View(doubt.id)->attempts[0].by_hand, HandBinding::kNone);
  const auto rivals = store().UnboundAttempts(kAccount);
  ASSERT_TRUE(rivals.ok()) << rivals.status();
  ASSERT_THAT(*rivals, SizeIs(2));
  const auto& by_hand = (*rivals)[(*rivals)[0].attempt.job_id == job.id ? 0 : 1];
  EXPECT_EQ(by_hand.attempt.by_hand, HandBinding::kUnknownEcho);
  EXPECT_EQ(by_hand.attempt.upstream_id, "up-1");

  // It is kept as long as any job is in doubt.
  const absl::Time later = Now() + absl::Hours(1);
  EXPECT_EQ(*store().Purge(later, absl::InfinitePast(), 10), 0);
  ASSERT_TRUE(Move(doubt.id, &lease, JobState::kPending).ok());
  EXPECT_EQ(*store().Purge(later, absl::InfinitePast(), 10), 1);
}

TEST_P(JobStoreSuite, LiveJobsComeInPagesById) {
  const Lease lease = Acquired();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Inserted(i % 2 ? kCaller : kOtherCaller).id);
  std::sort(ids.begin(), ids.end());
  ASSERT_TRUE(Move(ids[2], nullptr, JobState::kCancelled).ok());
  const auto first = store().LiveJobs(lease, "", 3);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_THAT(*first, SizeIs(3));
  EXPECT_EQ((*first)[2].id, ids[3]);
  const auto rest = store().LiveJobs(lease, ids[3], 3);
  ASSERT_THAT(*rest, SizeIs(1));
  EXPECT_EQ(rest->front().id, ids[4]);
  EXPECT_EQ(rest->front().state, JobState::kPending);
  EXPECT_FALSE(rest->front().start_within.has_value());
}

TEST_P(JobStoreSuite, APurgeKeepsTheRequestIdAndWhatIsLive) {
  const Lease lease = Acquired();
  const NewJob ended = [&] {
    NewJob fresh = Fresh();
    fresh.job.options.labels = {{"team", "blue"}};
    return fresh;
  }();
  Inserted(ended);
  Sealed(lease, ended.job);
  ASSERT_TRUE(store().RecordFact(ended.job.id, 1, FactOf(FactKind::kEditRefused), true).ok());
  ASSERT_TRUE(Move(ended.job.id, &lease, JobState::kFailed, [](Job& j) {
                j.charge.state = ChargeState::kReleased;
              }).ok());
  const Job live = Inserted();
  clock().Advance(absl::Hours(24 * 31));
  const absl::Time month_ago = Now() - absl::Hours(24 * 30);
  const absl::Time year_ago = Now() - absl::Hours(24 * 400);

  EXPECT_EQ(*store().Purge(month_ago, year_ago, 100), 1);
  EXPECT_EQ(*store().Purge(month_ago, year_ago, 100), 0);
  EXPECT_TRUE(absl::IsNotFound(store().Get(kCaller, ended.job.id).status()));
  EXPECT_TRUE(absl::IsNotFound(store().View(ended.job.id).status()));
  EXPECT_TRUE(store().Get(kCaller, live.id).ok());
  NewJob repeat = Fresh();
  repeat.job.request_id = ended.job.request_id;
  EXPECT_EQ(store().Insert(repeat).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(store().Insert(repeat).status(), ErrorReason::kRequestIdRetired));
  EXPECT_TRUE(HasReason(store().FindByRequestId(kCaller, ended.job.request_id).status(),
                        ErrorReason::kRequestIdRetired));

  // Who watched all jobs from before the purged ones hears that something is missing.
  EXPECT_TRUE(HasReason(store().Changes(kCaller, 0, 10).status(), ErrorReason::kTokenTooOld));
  EXPECT_EQ(store().Changes(kCaller, 3, 10)->front().job_id, live.id);

  EXPECT_EQ(*store().Purge(month_ago, Now(), 100), 0);
  EXPECT_TRUE(store().Insert(repeat)->created);
  // The live job's id stays, however old it is.
  EXPECT_EQ(store().FindByRequestId(kCaller, live.request_id)->id, live.id);
}

TEST_P(JobStoreSuite, APurgeIsBounded) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Move(Inserted().id, nullptr, JobState::kCancelled).ok());
  }
  clock().Advance(absl::Hours(1));
  EXPECT_EQ(*store().Purge(Now(), absl::InfinitePast(), 3), 3);
  EXPECT_EQ(*store().Purge(Now(), absl::InfinitePast(), 3), 2);
}

}  // namespace
}  // namespace lumaedit
