// Contract of JobStore: leases, seals, decisions, finding again.
#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "tests/contract/job_store_suite.h"

namespace lumaedit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_P(JobStoreSuite, ATakeoverFencesTheFormerOwner) {
  const Lease first = Acquired("owner-1");
  const Job job = Inserted();
  harness_->LetLeasesExpire();
  const Lease second = Acquired("owner-2");
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_TRUE(absl::IsAborted(store().Renew(first).status()));
  EXPECT_TRUE(absl::IsAborted(store().Seal(first, AttemptFor(job, "f")).status()));
  EXPECT_TRUE(absl::IsAborted(Move(job.id, &first, JobState::kFailed).status()));
  EXPECT_TRUE(absl::IsAborted(store().LiveJobs(first, "", 10).status()));
  EXPECT_EQ(store().Get(kCaller, job.id)->sequence, 1);
  EXPECT_GT(store().Renew(second)->good_for, absl::Seconds(5));
  EXPECT_THAT(*store().LiveJobs(second, "", 10), SizeIs(1));
  EXPECT_TRUE(store().Seal(second, AttemptFor(job, "f")).ok());
}

TEST_P(JobStoreSuite, AReleasedLeaseDrivesNothing) {
  const Lease lease = Acquired();
  const Job job = Inserted();
  ASSERT_TRUE(store().Release(lease).ok());
  EXPECT_TRUE(absl::IsAborted(store().Renew(lease).status()));
  EXPECT_TRUE(absl::IsAborted(store().Seal(lease, AttemptFor(job, "f")).status()));
}

TEST_P(JobStoreSuite, AnEpochIsNeverUsedTwice) {
  const Lease first = Acquired("owner-1");
  harness_->Reopen();
  harness_->LetLeasesExpire();
  EXPECT_GT(Acquired("owner-1").epoch, first.epoch);
}

TEST_P(JobStoreSuite, ASealMakesAnAttemptAndOneTransition) {
  const Lease lease = Acquired();
  const Job job = Inserted();
  const auto change = store().Seal(lease, AttemptFor(job, "f"));
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->job.state, JobState::kSubmitting);
  EXPECT_EQ(change->transition->sequence, 2);
  EXPECT_EQ(change->transition->previous_state, JobState::kPending);
  const auto view = store().View(job.id);
  ASSERT_THAT(view->attempts, SizeIs(1));
  EXPECT_EQ(view->attempts[0].number, 1);
  EXPECT_EQ(view->attempts[0].fingerprint, "f");
  EXPECT_EQ(view->attempts[0].account, kAccount);
  EXPECT_EQ(view->attempts[0].seal_time, Now());
  EXPECT_FALSE(IsSet(view->attempts[0].end_time));
  EXPECT_EQ(store().Seal(lease, AttemptFor(job, "f")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_P(JobStoreSuite, ASealIsRefusedAfterACancelWasAsked) {
  const Lease lease = Acquired();
  const Job job = Inserted();
  ASSERT_TRUE(Move(job.id, nullptr, JobState::kPending, [&](Job& j) {
                j.cancel_request_time = Now();
                j.cancel_result = CancelResult::kRecordedMayBill;
                j.cancel_actor = "someone";
              }).ok());
  EXPECT_EQ(store().Seal(lease, AttemptFor(job, "f")).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(store().View(job.id)->attempts, IsEmpty());
}

TEST_P(JobStoreSuite, AnEqualPayloadIsBlockedUntilTheFirstIsClear) {
  const Lease lease = Acquired();
  const Job first = Inserted();
  const Job second = Inserted();
  ASSERT_TRUE(store().Seal(lease, AttemptFor(first, "same")).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(store().Seal(lease, AttemptFor(second, "same")).status()));
  EXPECT_EQ(store().Get(kCaller, second.id)->state, JobState::kPending);
  ASSERT_TRUE(Move(first.id, &lease, JobState::kUnconfirmed).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(store().Seal(lease, AttemptFor(second, "same")).status()));
  Attempt elsewhere = AttemptFor(second, "same");
  elsewhere.account = "account-2";
  ASSERT_TRUE(Move(first.id, &lease, JobState::kHeld).ok());
  EXPECT_TRUE(store().Seal(lease, AttemptFor(second, "same")).ok());
  EXPECT_TRUE(store()
                  .Seal(lease,
                        [&] {
                          Attempt attempt = elsewhere;
                          attempt.job_id = Inserted().id;
                          return attempt;
                        }())
                  .ok());
}

TEST_P(JobStoreSuite, AnAttemptThatIsKnownToBeAcceptedIsKeptWhateverStandsInTheWay) {
  const Lease lost = Acquired();
  const Job first = Inserted();
  const Job second = Inserted();
  ASSERT_TRUE(store().Seal(lost, AttemptFor(first, "same")).ok());
  ASSERT_TRUE(store().Release(lost).ok());
  Attempt attempt = AttemptFor(second, "same");
  attempt.facts = {FactOf(FactKind::kAccepted)};
  attempt.facts[0].upstream_id = "up-1";
  const auto change = store().Seal(lost, attempt);
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->job.state, JobState::kSubmitting);
  EXPECT_EQ(change->transition->sequence, 2);
  harness_->Reopen();
  // A repeat after a commit whose answer was lost.
  EXPECT_FALSE(store().Seal(lost, attempt)->transition.has_value());
  auto attempts = store().View(second.id)->attempts;
  ASSERT_THAT(attempts, SizeIs(1));
  ASSERT_THAT(attempts[0].facts, SizeIs(1));
  EXPECT_EQ(attempts[0].facts[0].upstream_id, "up-1");
  EXPECT_TRUE(IsSet(attempts[0].end_time));
  // Another record of the same job: an attempt more, and no step back.
  attempt.facts[0].upstream_id = "up-2";
  EXPECT_FALSE(store().Seal(lost, attempt)->transition.has_value());
  attempts = store().View(second.id)->attempts;
  ASSERT_THAT(attempts, SizeIs(2));
  EXPECT_EQ(attempts[1].number, 2);
  EXPECT_EQ(store().Get(kCaller, second.id)->sequence, 2);
  // The first one's payload is in doubt as before.
  EXPECT_TRUE(*store().IsBlocked(kAccount, "same"));
}

TEST_P(JobStoreSuite, AnAcceptedAttemptOfAFinalJobIsNoSeal) {
  const Lease lease = Acquired();
  const Job job = Inserted();
  ASSERT_TRUE(Move(job.id, nullptr, JobState::kCancelled).ok());
  Attempt attempt = AttemptFor(job, "f");
  attempt.facts = {FactOf(FactKind::kAccepted)};
  EXPECT_EQ(store().Seal(lease, attempt).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(store().View(job.id)->attempts, IsEmpty());
}

TEST_P(JobStoreSuite, TransitionsOfAJobNeverGoBackInTime) {
  const Job job = Inserted();
  clock().Advance(-absl::Hours(5));
  const auto change = Move(job.id, nullptr, JobState::kCancelled);
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change->transition->record_time, job.state_time);
  EXPECT_EQ(change->job.end_time, job.state_time);
}

TEST_P(JobStoreSuite, AFinalTransitionCarriesOutcomeErrorAndCharge) {
  const Lease lease = Acquired();
  const Job job = Accepted(lease, Inserted(), "up-1");
  clock().Advance(absl::Seconds(3));
  const Outcome outcome{"https://v", "https://t", "gen-9", {"https://o"}, Now()};
  const auto change = Move(job.id, &lease, JobState::kSucceeded, [&](Job& j) {
    j.outcome = outcome;
    j.upstream_status = "success";
  });
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->transition->outcome, outcome);
  EXPECT_EQ(change->transition->upstream_status, "success");
  EXPECT_EQ(change->transition->charge.state, ChargeState::kIncurred);
  EXPECT_EQ(change->job.end_time, Now());
  EXPECT_EQ(store().Transitions(kCaller, job.id, 3, 10)->front(), *change->transition);
  EXPECT_EQ((*store().OriginOfGeneration("gen-9"))->caller, kCaller);
  EXPECT_FALSE(store().OriginOfGeneration("gen-8")->has_value());
  EXPECT_FALSE(store().OriginOfGeneration("")->has_value());
}

TEST_P(JobStoreSuite, AGenerationLeadsToItsJobAndTheLengthOfThatJobsSource) {
  NewJob measured = Fresh();
  measured.job.source_length = {absl::Microseconds(5'041'667), DurationBasis::kProbed};
  int number = 0;
  for (const NewJob& fresh : {measured, Fresh(kOtherCaller)}) {
    const Lease lease = Acquired();
    const std::string name = std::to_string(++number);
    const Job job = Accepted(lease, Inserted(fresh), "up-" + name);
    ASSERT_TRUE(Move(job.id, &lease, JobState::kSucceeded, [&](Job& j) {
                  j.outcome = Outcome{"https://v", "", "gen-" + name, {}, Now()};
                }).ok());
    harness_->Reopen();
    const auto origin = store().OriginOfGeneration("gen-" + name);
    ASSERT_TRUE(origin.ok()) << origin.status();
    ASSERT_TRUE(origin->has_value());
    EXPECT_EQ((*origin)->caller, fresh.job.caller);
    EXPECT_EQ((*origin)->job_id, job.id);
    EXPECT_EQ((*origin)->source_length, fresh.job.source_length);
  }
}

TEST_P(JobStoreSuite, KeepsEveryFieldOfADecision) {
  const Lease lease = Acquired();
  const Job job = Accepted(lease, Inserted(), "up-1");
  const JobError error{ErrorReason::kUpstreamFailed, "ours", "E42", "theirs \x01", true};
  const auto result = store().Update(
      job.id, &lease, [&](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
        Decision decision;
        decision.job = view.job;
        decision.job.state = JobState::kFailed;
        decision.job.error = error;
        decision.job.candidate_upstream_ids = {"a", "b"};
        decision.job.stalled = true;
        decision.job.unreachable = true;
        decision.job.refusals = 7;
        decision.job.change_time = Now();
        decision.job.next_attempt_time = Now() + absl::Seconds(1);
        decision.not_before = Now() - absl::Seconds(2);
        decision.not_after = Now() - absl::Seconds(1);
        decision.actor = "admin";
        return decision;
      });
  ASSERT_TRUE(result.ok()) << result.status();
  harness_->Reopen();
  const Job read = *store().Get(kCaller, job.id);
  EXPECT_EQ(read.error, error);
  EXPECT_THAT(read.candidate_upstream_ids, ElementsAre("a", "b"));
  EXPECT_TRUE(read.stalled && read.unreachable);
  EXPECT_EQ(read.refusals, 7);
  EXPECT_EQ(read.change_time, Now());
  EXPECT_EQ(read.next_attempt_time, Now() + absl::Seconds(1));
  EXPECT_EQ(read.accept_time, job.accept_time);
  EXPECT_EQ(read.upstream_id, "up-1");
  const Transition last = store().Transitions(kCaller, job.id, 3, 1)->front();
  EXPECT_EQ(last.not_before, Now() - absl::Seconds(2));
  EXPECT_EQ(last.not_after, Now() - absl::Seconds(1));
  EXPECT_EQ(last.actor, "admin");
  EXPECT_EQ(last.error, error);
}

TEST_P(JobStoreSuite, AnIllegalMoveWritesNothing) {
  const Job job = Inserted();
  const auto change = Move(job.id, nullptr, JobState::kSucceeded, [](Job& j) { j.refusals = 3; });
  EXPECT_EQ(change.status().code(), absl::StatusCode::kInternal);
  ASSERT_TRUE(Move(job.id, nullptr, JobState::kCancelled).ok());
  EXPECT_EQ(Move(job.id, nullptr, JobState::kPending).status().code(), absl::StatusCode::kInternal);
  const Job read = *store().Get(kCaller, job.id);
  EXPECT_EQ(read.sequence, 2);
  EXPECT_EQ(read.refusals, 0);
}

TEST_P(JobStoreSuite, SameStateIsWrittenWithoutATransition) {
  const Job job = Inserted();
  const auto change =
      Move(job.id, nullptr, JobState::kPending, [](Job& j) { j.upstream_status = "odd"; });
  ASSERT_TRUE(change.ok());
  EXPECT_FALSE(change->transition.has_value());
  EXPECT_EQ(store().Get(kCaller, job.id)->upstream_status, "odd");
  EXPECT_EQ(store().Get(kCaller, job.id)->sequence, 1);
}

TEST_P(JobStoreSuite, ADecisionMayWriteNothingOrRefuse) {
  const Job job = Inserted();
  const auto nothing = store().Update(
      job.id, nullptr,
      [](const JobView&) -> absl::StatusOr<std::optional<Decision>> { return std::nullopt; });
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->transition.has_value());
  EXPECT_EQ(nothing->job.id, job.id);
  const auto refused = store().Update(
      job.id, nullptr, [](const JobView&) -> absl::StatusOr<std::optional<Decision>> {
        return MakeError(absl::StatusCode::kAborted, ErrorReason::kStateChanged, "too late");
      });
  EXPECT_TRUE(HasReason(refused.status(), ErrorReason::kStateChanged));
  EXPECT_TRUE(absl::IsNotFound(Move(random_.Uuid(), nullptr, JobState::kFailed).status()));
}

TEST_P(JobStoreSuite, AnUpstreamIdHasOneOwnerPerAccount) {
  const Lease lease = Acquired();
  Accepted(lease, Inserted(), "up-1");
  const Job other = Sealed(lease, Inserted());
  const auto stolen = Move(other.id, &lease, JobState::kQueued, [](Job& j) {
    j.upstream_account = kAccount;
    j.upstream_id = "up-1";
  });
  EXPECT_TRUE(absl::IsAlreadyExists(stolen.status()));
  EXPECT_EQ(store().Get(kCaller, other.id)->state, JobState::kSubmitting);
  EXPECT_TRUE(Move(other.id, &lease, JobState::kQueued, [](Job& j) {
                j.upstream_account = "account-2";
                j.upstream_id = "up-1";
              }).ok());
  const auto owned = store().OwnedIds({"up-0", "up-1", ""});
  ASSERT_TRUE(owned.ok()) << owned.status();
  ASSERT_THAT(*owned, SizeIs(1));
  EXPECT_EQ(owned->front().upstream_id, "up-1");
}

TEST_P(JobStoreSuite, ChargesMoveBetweenCountersInTheWindowOfTheReservation) {
  const Lease lease = Acquired();
  Job job = Sealed(lease, Inserted());
  const auto budgets = [&] {
    const Budget mine = *store().GetBudget(kCaller, window_start());
    const Budget all = *store().GetBudget("", day_start());
    EXPECT_EQ(mine.reserved_usd_micros, all.reserved_usd_micros);
    EXPECT_EQ(mine.incurred_usd_micros, all.incurred_usd_micros);
    EXPECT_EQ(mine.uncertain_usd_micros, all.uncertain_usd_micros);
    return std::vector<std::int64_t>{mine.reserved_usd_micros, mine.incurred_usd_micros,
                                     mine.uncertain_usd_micros};
  };
  const auto charge_to = [&](ChargeState state) {
    return [state](Job& j) { j.charge.state = state; };
  };
  EXPECT_THAT(budgets(), ElementsAre(kPrice, 0, 0));
  ASSERT_TRUE(
      Move(job.id, &lease, JobState::kUnconfirmed, charge_to(ChargeState::kUncertain)).ok());
  EXPECT_THAT(budgets(), ElementsAre(0, 0, kPrice));
  ASSERT_TRUE(Move(job.id, &lease, JobState::kQueued, charge_to(ChargeState::kIncurred)).ok());
  EXPECT_THAT(budgets(), ElementsAre(0, kPrice, 0));
  ASSERT_TRUE(Move(job.id, &lease, JobState::kExpired, charge_to(ChargeState::kUncertain)).ok());
  EXPECT_THAT(budgets(), ElementsAre(0, 0, kPrice));
  // A late outcome settles the charge without a transition, at another amount.
  const auto late = Move(job.id, &lease, JobState::kExpired, [&](Job& j) {
    j.charge = {ChargeState::kIncurred, {kPrice / 2, kPrice / 2}};
    j.outcome = Outcome{"https://v", "", "gen-late", {}, Now()};
    j.late_outcome_time = Now();
  });
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_FALSE(late->transition.has_value());
  EXPECT_THAT(budgets(), ElementsAre(0, kPrice / 2, 0));
  EXPECT_EQ((*store().OriginOfGeneration("gen-late"))->caller, kCaller);
  ASSERT_TRUE(Move(job.id, nullptr, JobState::kExpired, charge_to(ChargeState::kReleased)).ok());
  EXPECT_THAT(budgets(), ElementsAre(0, 0, 0));
}

TEST_P(JobStoreSuite, AJobThatWasRefusedIsSentAgainAsTheNextAttempt) {
  const Lease lease = Acquired();
  const Job job = Sealed(lease, Inserted());
  ASSERT_TRUE(Move(job.id, &lease, JobState::kPending).ok());
  Sealed(lease, job);
  const auto view = store().View(job.id);
  ASSERT_THAT(view->attempts, SizeIs(2));
  EXPECT_EQ(view->attempts[1].number, 2);
  EXPECT_EQ(view->job.sequence, 4);
}

}  // namespace
}  // namespace lumaedit
