#include "server/job/attempt_rules.h"

#include <gtest/gtest.h>

#include "server/job/state_rules.h"

namespace lumaedit {
namespace {

using enum JobState;

const absl::Time kSeal = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kNow = kSeal + absl::Seconds(10);

Fact MakeFact(FactKind kind, std::string upstream_id = "", std::string word = "") {
  Fact fact;
  fact.kind = kind;
  fact.record_time = kSeal + absl::Seconds(1);
  fact.upstream_id = std::move(upstream_id);
  fact.upstream_status = std::move(word);
  return fact;
}

Attempt MakeAttempt(int number, std::vector<Fact> facts) {
  Attempt attempt;
  attempt.job_id = "job";
  attempt.number = number;
  attempt.account = "account";
  attempt.seal_time = kSeal;
  attempt.facts = std::move(facts);
  return attempt;
}

JobView ViewOf(JobState state, std::vector<Fact> facts) {
  JobView view;
  view.job.id = "job";
  view.job.state = state;
  view.job.charge.state = ChargeFor(state, false, {});
  view.attempts.push_back(MakeAttempt(1, std::move(facts)));
  return view;
}

FactInput Input() {
  FactInput input;
  input.now = kNow;
  input.wait = absl::Seconds(3);
  return input;
}

struct Row {
  const char* name;
  Fact fact;
  JobState from_submitting;  // the same state: no decision
  JobState from_unconfirmed;
  JobState from_held;
  ChargeState charge;  // after, from SUBMITTING
};

TEST(DecideOnFacts, EachRowOfTheAnswerTable) {
  Outcome outcome;
  outcome.video_url = "https://media.example.com/a.mp4";
  Fact done = MakeFact(FactKind::kAccepted, "u", "success");
  done.outcome = outcome;
  const Row rows[] = {
      {"queued", MakeFact(FactKind::kAccepted, "u", "queued"), kQueued, kQueued, kQueued,
       ChargeState::kIncurred},
      {"created", MakeFact(FactKind::kAccepted, "u", "created"), kQueued, kQueued, kQueued,
       ChargeState::kIncurred},
      {"dispatched", MakeFact(FactKind::kAccepted, "u", "Dispatched"), kQueued, kQueued, kQueued,
       ChargeState::kIncurred},
      {"unknown word", MakeFact(FactKind::kAccepted, "u", "paused"), kQueued, kQueued, kQueued,
       ChargeState::kIncurred},
      {"no word", MakeFact(FactKind::kAccepted, "u", ""), kQueued, kQueued, kQueued,
       ChargeState::kIncurred},
      {"processing", MakeFact(FactKind::kAccepted, "u", "PROCESSING"), kProcessing, kProcessing,
       kProcessing, ChargeState::kIncurred},
      {"success", done, kSucceeded, kSucceeded, kSucceeded, ChargeState::kIncurred},
      {"success without output", MakeFact(FactKind::kAccepted, "u", "success"), kProcessing,
       kProcessing, kProcessing, ChargeState::kIncurred},
      {"failed", MakeFact(FactKind::kAccepted, "u", "failed"), kFailed, kFailed, kFailed,
       ChargeState::kReleased},
      {"cancelled", MakeFact(FactKind::kAccepted, "u", "cancelled"), kCancelled, kCancelled,
       kCancelled, ChargeState::kUncertain},
      {"not accepted", MakeFact(FactKind::kNotAccepted), kPending, kPending, kPending,
       ChargeState::kReserved},
      {"edit refused", MakeFact(FactKind::kEditRefused), kFailed, kFailed, kFailed,
       ChargeState::kReleased},
      {"everyone refused", MakeFact(FactKind::kEveryoneRefused), kPending, kPending, kPending,
       ChargeState::kReserved},
      {"refused in words", MakeFact(FactKind::kRefusedInWords, "n"), kUnconfirmed, kUnconfirmed,
       kHeld, ChargeState::kUncertain},
      {"unclear", MakeFact(FactKind::kUnclear), kUnconfirmed, kUnconfirmed, kHeld,
       ChargeState::kUncertain},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto check = [&](JobState from, JobState to) {
      const auto decision = DecideOnFacts(ViewOf(from, {row.fact}), Input());
      EXPECT_EQ(decision.has_value(), from != to);
      if (!decision) return;
      EXPECT_EQ(decision->job.state, to) << JobStateName(decision->job.state);
      EXPECT_TRUE(MayMove(from, to));
      EXPECT_EQ(decision->job.charge.state, row.charge);
      EXPECT_EQ(decision->bind_attempt, row.fact.kind == FactKind::kAccepted ? 1 : 0);
      EXPECT_EQ(decision->job.upstream_id, row.fact.kind == FactKind::kAccepted ? "u" : "");
    };
    check(kSubmitting, row.from_submitting);
    check(kUnconfirmed, row.from_unconfirmed);
    check(kHeld, row.from_held);
    for (const JobState other :
         {kPending, kQueued, kProcessing, kSucceeded, kFailed, kCancelled, kExpired}) {
      EXPECT_FALSE(DecideOnFacts(ViewOf(other, {row.fact}), Input()).has_value());
    }
  }
}

TEST(DecideOnFacts, NoFactNoDecision) {
  EXPECT_FALSE(DecideOnFacts(ViewOf(kSubmitting, {}), Input()).has_value());
  JobView none = ViewOf(kSubmitting, {});
  none.attempts.clear();
  EXPECT_FALSE(DecideOnFacts(none, Input()).has_value());
}

TEST(DecideOnFacts, AnAcceptanceOutweighsTheRest) {
  const Fact accepted = MakeFact(FactKind::kAccepted, "u", "queued");
  for (const FactKind other : {FactKind::kNotAccepted, FactKind::kEditRefused, FactKind::kUnclear,
                               FactKind::kRefusedInWords, FactKind::kEveryoneRefused}) {
    for (const bool first : {false, true}) {
      std::vector<Fact> facts = {MakeFact(other)};
      facts.insert(first ? facts.begin() : facts.end(), accepted);
      const auto decision = DecideOnFacts(ViewOf(kUnconfirmed, facts), Input());
      ASSERT_TRUE(decision.has_value());
      EXPECT_EQ(decision->job.state, kQueued);
    }
  }
}

TEST(DecideOnFacts, ALateAcceptanceOfAnEarlierAttemptCounts) {
  JobView view = ViewOf(kUnconfirmed, {MakeFact(FactKind::kNotAccepted),
                                       MakeFact(FactKind::kAccepted, "first", "processing")});
  view.attempts.push_back(MakeAttempt(2, {MakeFact(FactKind::kUnclear)}));
  const auto decision = DecideOnFacts(view, Input());
  ASSERT_TRUE(decision.has_value());
  EXPECT_EQ(decision->bind_attempt, 1);
  EXPECT_EQ(decision->job.upstream_id, "first");
}

TEST(DecideOnFacts, OnlyTheNewestAttemptRefuses) {
  JobView view = ViewOf(kSubmitting, {MakeFact(FactKind::kNotAccepted)});
  view.attempts.push_back(MakeAttempt(2, {}));
  EXPECT_FALSE(DecideOnFacts(view, Input()).has_value());
}

TEST(DecideOnFacts, AnIdThatAnotherJobOwnsLeavesItInDoubt) {
  FactInput input = Input();
  input.distrust_accepted = true;
  const auto decision =
      DecideOnFacts(ViewOf(kSubmitting, {MakeFact(FactKind::kAccepted, "u", "queued")}), input);
  ASSERT_TRUE(decision.has_value());
  EXPECT_EQ(decision->job.state, kUnconfirmed);
  EXPECT_TRUE(decision->job.upstream_id.empty());
}

TEST(DecideOnFacts, NotEntitledEndsTheJob) {
  FactInput input = Input();
  input.everyone = EveryoneMeaning::kNotEntitled;
  const auto decision =
      DecideOnFacts(ViewOf(kSubmitting, {MakeFact(FactKind::kEveryoneRefused)}), input);
  ASSERT_TRUE(decision.has_value());
  EXPECT_EQ(decision->job.state, kFailed);
  EXPECT_EQ(decision->job.error->reason, ErrorReason::kUpstreamNotEntitled);
  EXPECT_EQ(decision->job.charge.state, ChargeState::kReleased);
}

TEST(DecideOnFacts, WaitsAsLongAsTheAnswerAsked) {
  Fact limited = MakeFact(FactKind::kNotAccepted);
  limited.retry_after = absl::Seconds(60);
  const auto decision = DecideOnFacts(ViewOf(kUnconfirmed, {limited}), Input());
  ASSERT_TRUE(decision.has_value());
  EXPECT_EQ(decision->job.next_attempt_time, limited.record_time + absl::Seconds(60));
  limited.retry_after = absl::ZeroDuration();
  EXPECT_EQ(DecideOnFacts(ViewOf(kUnconfirmed, {limited}), Input())->job.next_attempt_time,
            kNow + absl::Seconds(3));
}

TEST(DecideOnFacts, CountsRefusalsButNotPauses) {
  JobView view = ViewOf(kSubmitting, {MakeFact(FactKind::kNotAccepted)});
  view.job.refusals = 98;
  EXPECT_EQ(DecideOnFacts(view, Input())->job.refusals, 99);
  view.job.refusals = 99;
  const auto last = DecideOnFacts(view, Input());
  EXPECT_EQ(last->job.state, kFailed);
  EXPECT_EQ(last->job.error->reason, ErrorReason::kTooManyRefusals);
  EXPECT_EQ(last->job.charge.state, ChargeState::kReleased);
  view.attempts[0].facts = {MakeFact(FactKind::kEveryoneRefused)};
  EXPECT_EQ(DecideOnFacts(view, Input())->job.state, kPending);
  EXPECT_EQ(DecideOnFacts(view, Input())->job.refusals, 99);
}

TEST(DecideOnFacts, ACancelIsHonouredOnTheWayBack) {
  for (const FactKind kind : {FactKind::kNotAccepted, FactKind::kEveryoneRefused}) {
    for (const JobState state : {kSubmitting, kUnconfirmed, kHeld}) {
      JobView view = ViewOf(state, {MakeFact(kind)});
      view.job.cancel_request_time = kSeal;
      const auto decision = DecideOnFacts(view, Input());
      ASSERT_TRUE(decision.has_value());
      EXPECT_EQ(decision->job.state, kCancelled);
      EXPECT_EQ(decision->job.charge.state, ChargeState::kReleased);
    }
  }
}

TEST(DecideOnFacts, AcceptingClearsWhatBelongedToTheDoubt) {
  JobView view = ViewOf(kHeld, {MakeFact(FactKind::kAccepted, "u", "queued")});
  view.job.candidate_upstream_ids = {"a", "b"};
  view.job.next_attempt_time = kSeal;
  const auto decision = DecideOnFacts(view, Input());
  EXPECT_TRUE(decision->job.candidate_upstream_ids.empty());
  EXPECT_FALSE(IsSet(decision->job.next_attempt_time));
  EXPECT_EQ(decision->job.accept_time, kNow);
  EXPECT_EQ(decision->job.upstream_account, "account");
  EXPECT_EQ(decision->not_before, kSeal);
  EXPECT_EQ(decision->not_after, kSeal + absl::Seconds(1));
}

TEST(DecideUnconfirmed, OnlyFromSubmitting) {
  EXPECT_EQ(DecideUnconfirmed(ViewOf(kSubmitting, {}))->job.state, kUnconfirmed);
  for (const JobState state : {kPending, kUnconfirmed, kHeld, kQueued, kFailed}) {
    EXPECT_FALSE(DecideUnconfirmed(ViewOf(state, {})).has_value());
  }
}

TEST(AttemptRules, KnownNotAccepted) {
  EXPECT_FALSE(KnownNotAccepted(MakeAttempt(1, {})));
  EXPECT_FALSE(KnownNotAccepted(MakeAttempt(1, {MakeFact(FactKind::kUnclear)})));
  EXPECT_FALSE(KnownNotAccepted(MakeAttempt(1, {MakeFact(FactKind::kRefusedInWords)})));
  EXPECT_FALSE(KnownNotAccepted(MakeAttempt(1, {MakeFact(FactKind::kAccepted)})));
  EXPECT_TRUE(KnownNotAccepted(MakeAttempt(1, {MakeFact(FactKind::kNotAccepted)})));
  EXPECT_TRUE(KnownNotAccepted(MakeAttempt(1, {MakeFact(FactKind::kEditRefused)})));
  EXPECT_TRUE(KnownNotAccepted(MakeAttempt(1, {MakeFact(FactKind::kEveryoneRefused)})));
}

TEST(AttemptRules, EndOf) {
  Attempt attempt = MakeAttempt(1, {});
  EXPECT_EQ(EndOf(attempt, absl::Seconds(330)), kSeal + absl::Seconds(330));
  attempt.end_time = kNow;
  EXPECT_EQ(EndOf(attempt, absl::Seconds(330)), kNow);
}

TEST(AttemptRules, StatusWords) {
  EXPECT_EQ(ReadStatusWord("Success"), UpstreamStatus::kSuccess);
  EXPECT_EQ(ReadStatusWord("canceled"), UpstreamStatus::kCancelled);
  EXPECT_EQ(ReadStatusWord("succeeded"), UpstreamStatus::kUnknown);
  EXPECT_EQ(ReadStatusWord(""), UpstreamStatus::kUnknown);
}

}  // namespace
}  // namespace lumaedit
