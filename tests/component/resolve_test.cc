// What a person decides about a HELD job: protocol.md section 4, ResolveJob.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

PostScript Script(Kind kind) {
  PostScript script;
  script.kind = kind;
  return script;
}

ResolveRequest Abandon(SteppedWorld& world, const std::string& job_id,
                       const std::string& caller = "caller-1") {
  ResolveRequest request;
  request.caller = caller;
  request.job_id = job_id;
  request.resolution.expected_sequence = world.Get(job_id).sequence;
  request.resolution.actor = "ann";
  return request;
}

ResolveRequest Adopt(SteppedWorld& world, const std::string& job_id, const std::string& upstream_id,
                     const std::string& caller = "caller-1") {
  ResolveRequest request = Abandon(world, job_id, caller);
  request.resolution.adopt_upstream_id = upstream_id;
  return request;
}

absl::StatusOr<Job> Resolve(SteppedWorld& world, ResolveRequest request) {
  std::optional<absl::StatusOr<JobSnapshot>> answer;
  world.engine().calls().Resolve(
      std::move(request),
      Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> result) { answer = std::move(result); }));
  EXPECT_TRUE(world.RunUntil([&] { return answer.has_value(); }, absl::Minutes(2)));
  if (!answer) return absl::DeadlineExceededError("no answer");
  if (!answer->ok()) return answer->status();
  return (*answer)->job;
}

// A job whose POST was accepted with a lost answer, and a stranger's equal record.
std::string HeldTwin(SteppedWorld& world) {
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string job = world.Submit("a");
  EXPECT_TRUE(world.RunToState(job, kUnconfirmed));
  FakeRecord twin;
  twin.payload = world.upstream.accepted()[0].payload;
  world.upstream.AddRecord(twin);
  EXPECT_TRUE(world.RunToState(job, kHeld));
  return job;
}

std::string HeldForNothing(SteppedWorld& world) {
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string job = world.Submit("a");
  EXPECT_TRUE(world.RunToState(job, kHeld));
  return job;
}

TEST(Resolve, AnAdminMayAdoptAnyRecordButNoneThatIsOwned) {
  SteppedWorld world;
  const std::string other = world.Submit("other");
  ASSERT_TRUE(world.RunToEnd(other));
  const std::string job = HeldForNothing(world);
  FakeRecord record;
  record.payload = PayloadFor(world.Request("made by hand").edit);
  const std::string id = world.upstream.AddRecord(record);
  ResolveRequest request = Adopt(world, job, id);
  EXPECT_TRUE(HasReason(Resolve(world, request).status(), ErrorReason::kNotACandidate));

  request.resolution.any_id = true;
  ResolveRequest owned = request;
  owned.resolution.adopt_upstream_id = world.Get(other).upstream_id;
  EXPECT_TRUE(HasReason(Resolve(world, owned).status(), ErrorReason::kUpstreamIdOwned));
  ResolveRequest missing = request;
  missing.resolution.adopt_upstream_id = "no-such-record";
  EXPECT_FALSE(Resolve(world, missing).ok());
  EXPECT_EQ(world.State(job), kHeld);

  const auto adopted = Resolve(world, request);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ(adopted->upstream_id, id);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Resolve, ACandidateIsAdopted) {
  SteppedWorld world;
  const std::string job = HeldTwin(world);
  ResolveRequest request = Adopt(world, job, "record-1");
  request.note = "seen in the console";
  const auto adopted = Resolve(world, request);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ(adopted->upstream_id, "record-1");
  EXPECT_EQ(adopted->state, kSucceeded);  // it ran on while the job was held
  EXPECT_EQ(adopted->charge.state, ChargeState::kIncurred);
  EXPECT_THAT(adopted->candidate_upstream_ids, IsEmpty());
  EXPECT_TRUE(adopted->outcome.has_value());
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kUnconfirmed, kHeld, kSucceeded));
  EXPECT_EQ(world.Transitions(job).back().actor, "ann");
  EXPECT_EQ(world.View(job).attempts[0].by_hand, HandBinding::kEqualEcho);
  EXPECT_EQ(world.log.Count("job_resolved"), 1);
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(Resolve, AnAdoptedRunningRecordIsFollowedToItsEnd) {
  SteppedWorld world;
  PostScript lost = Script(Kind::kLoseAnswer);
  lost.record.empty_echo = true;
  lost.record.course = {{absl::ZeroDuration(), "processing"}, {absl::Minutes(30), "success"}};
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  auto watcher = world.Watch(job);
  const auto adopted = Resolve(world, Adopt(world, job, "record-1"));
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ(adopted->state, kProcessing);
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_THAT(world.Path(job),
              ElementsAre(kPending, kSubmitting, kUnconfirmed, kHeld, kProcessing, kSucceeded));
  EXPECT_EQ(watcher->seen().size(), 6u);
  EXPECT_EQ(world.View(job).attempts[0].by_hand, HandBinding::kUnknownEcho);
}

TEST(Resolve, ACandidateThatIsMissingByIdIsTakenFromTheList) {
  SteppedWorld world;
  const std::string job = HeldTwin(world);
  world.upstream.Find("record-1")->found_by_id = false;
  const auto adopted = Resolve(world, Adopt(world, job, "record-1"));
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ(adopted->upstream_id, "record-1");

  SteppedWorld other;
  const std::string gone = HeldTwin(other);
  other.upstream.Find("record-1")->found_by_id = false;
  other.upstream.Find("record-1")->listed = false;
  const auto refused = Resolve(other, Adopt(other, gone, "record-1"));
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  EXPECT_TRUE(HasReason(refused.status(), ErrorReason::kNotACandidate));
  EXPECT_EQ(other.State(gone), kHeld);
}

TEST(Resolve, WhatCannotBeDoneIsRefusedBeforeTheUpstreamIsAsked) {
  SteppedWorld world;
  const std::string job = HeldTwin(world);
  const int gets = world.upstream.gets();
  const int lists = world.upstream.lists();

  ResolveRequest late = Adopt(world, job, "record-1");
  late.resolution.expected_sequence -= 1;
  const absl::Status changed = Resolve(world, late).status();
  EXPECT_TRUE(absl::IsAborted(changed)) << changed;
  EXPECT_TRUE(HasReason(changed, ErrorReason::kStateChanged));
  EXPECT_EQ(DetailOf(changed).metadata.at("sequence"), "4");

  const absl::Status strange = Resolve(world, Adopt(world, job, "record-7")).status();
  EXPECT_TRUE(HasReason(strange, ErrorReason::kNotACandidate)) << strange;

  const absl::Status foreign = Resolve(world, Adopt(world, job, "record-1", "caller-2")).status();
  ResolveRequest none = Adopt(world, job, "record-1");
  none.job_id = "00000000-0000-4000-8000-000000000000";
  EXPECT_TRUE(absl::IsNotFound(foreign)) << foreign;
  EXPECT_EQ(foreign, Resolve(world, none).status());

  const std::string pending = world.Submit("b");
  ASSERT_TRUE(world.RunToEnd(pending));
  const absl::Status not_held = Resolve(world, Abandon(world, pending)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(not_held)) << not_held;
  EXPECT_TRUE(HasReason(not_held, ErrorReason::kNotHeld));

  EXPECT_EQ(world.State(job), kHeld);
  EXPECT_EQ(world.upstream.lists(), lists);
  EXPECT_GE(world.upstream.gets(), gets);  // those of the second job
}

TEST(Resolve, AJobThatMovesWhileTheUpstreamIsAskedIsNotTouched) {
  SteppedWorld world;
  const std::string job = HeldTwin(world);
  world.upstream.get_takes = absl::Seconds(3);
  // The answer to the POST comes meanwhile, from whoever has read it.
  Fact fact;
  fact.kind = FactKind::kAccepted;
  fact.upstream_id = "record-2";
  fact.upstream_status = "queued";
  std::optional<absl::Status> status;
  world.engine().calls().Resolve(
      Adopt(world, job, "record-1"),
      Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> result) { status = result.status(); }));
  world.RunFor(absl::Seconds(1));
  ASSERT_TRUE(world.store().RecordFact(job, 1, fact, true).ok());
  ASSERT_TRUE(world.RunUntil([&] { return status.has_value(); }, absl::Minutes(1)));
  EXPECT_TRUE(HasReason(*status, ErrorReason::kStateChanged)) << *status;
  ASSERT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.Get(job).upstream_id, "record-2");
}

TEST(Resolve, AnAbandonedJobEndsFailedAndItsMoneyStaysInDoubt) {
  SteppedWorld world;
  const std::string job = HeldForNothing(world);
  const int lists = world.upstream.lists();
  const auto abandoned = Resolve(world, Abandon(world, job));
  ASSERT_TRUE(abandoned.ok()) << abandoned.status();
  EXPECT_EQ(abandoned->state, kFailed);
  EXPECT_EQ(abandoned->error->reason, ErrorReason::kSubmissionUnresolved);
  EXPECT_EQ(abandoned->charge.state, ChargeState::kUncertain);
  EXPECT_EQ(world.Transitions(job).back().actor, "ann");
  EXPECT_EQ(world.upstream.lists(), lists + 1);
  // It may have been accepted all the same, so its attempt still competes for records.
  EXPECT_EQ(world.store().UnboundAttempts(world.upstream.account)->size(), 1u);
  // Twice is once.
  EXPECT_TRUE(HasReason(Resolve(world, Abandon(world, job)).status(), ErrorReason::kNotHeld));
  EXPECT_EQ(world.upstream.posts().size(), 1u);
}

TEST(Resolve, AJobWhoseRecordShowsIsNotAbandonedButAdopted) {
  SteppedWorld world;
  PostScript lost = Script(Kind::kLoseAnswer);
  lost.record.shows_after = absl::Minutes(15);
  world.upstream.Script(lost);
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToState(job, kHeld));
  world.RunFor(absl::Minutes(6));  // the search comes every ten minutes
  ASSERT_EQ(world.State(job), kHeld);
  const absl::Status found = Resolve(world, Abandon(world, job)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(found)) << found;
  EXPECT_TRUE(HasReason(found, ErrorReason::kRecordFound));
  EXPECT_EQ(DetailOf(found).metadata.at("candidate_upstream_ids"), "record-1");
  ASSERT_TRUE(world.RunToEnd(job, absl::Seconds(1)));
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Resolve, AListThatCannotBeReadAbandonsNothing) {
  SteppedWorld world;
  const std::string job = HeldForNothing(world);
  world.upstream.on_list = [](const ListQuery&) -> std::optional<ListResult> {
    ListResult result;
    result.failure = ReadFailure::kBroken;
    return result;
  };
  const absl::Status unread = Resolve(world, Abandon(world, job)).status();
  EXPECT_TRUE(absl::IsUnavailable(unread)) << unread;
  EXPECT_TRUE(HasReason(unread, ErrorReason::kUpstreamUnavailable));
  EXPECT_EQ(world.State(job), kHeld);
}

TEST(Resolve, AnotherAccountsKeyDecidesNothing) {
  SteppedWorld world;
  const std::string job = HeldTwin(world);
  world.upstream.account = "account-2";
  for (const ResolveRequest& request : {Abandon(world, job), Adopt(world, job, "record-1")}) {
    const absl::Status status = Resolve(world, request).status();
    EXPECT_TRUE(HasReason(status, ErrorReason::kUpstreamUnavailable)) << status;
  }
  EXPECT_EQ(world.State(job), kHeld);
}

TEST(Resolve, ARecordIsOneJobsOnly) {
  WorldOptions options;
  options.settings.reconcile.confirm_window = absl::Minutes(2);
  SteppedWorld world(options);
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string first = world.Submit("same", "caller-1");
  ASSERT_TRUE(world.RunToState(first, kHeld));
  world.upstream.Script(Script(Kind::kLoseAnswer));
  const std::string second = world.Submit("same", "caller-2");
  ASSERT_TRUE(world.RunToState(second, kHeld));
  ASSERT_TRUE(world.RunUntil([&] { return !world.Get(first).candidate_upstream_ids.empty(); },
                             absl::Minutes(11)));
  ASSERT_TRUE(Resolve(world, Adopt(world, second, "record-1", "caller-2")).ok());
  const absl::Status owned = Resolve(world, Adopt(world, first, "record-1")).status();
  EXPECT_TRUE(absl::IsAlreadyExists(owned)) << owned;
  EXPECT_TRUE(HasReason(owned, ErrorReason::kUpstreamIdOwned));
  EXPECT_EQ(world.State(first), kHeld);
}

// Of two jobs that a record fits, a person gives it to the one that did not make it. The other was
// refused in words, and its list now shows nothing: that is no proof.
void ExpectNoSecondPostAfterAWrongAdoption(bool empty_echo, bool unknown_time) {
  WorldOptions options;
  options.settings.reconcile.confirm_window = absl::Minutes(2);
  SteppedWorld world(options);
  world.upstream.Script(Script(Kind::kLoseRequest));
  const std::string wrong = world.Submit(empty_echo ? "another" : "same", "caller-1");
  ASSERT_TRUE(world.RunToState(wrong, kHeld));
  PostScript refused = Script(Kind::kCapacity);
  refused.leaves.emplace();
  refused.leaves->empty_echo = empty_echo;
  refused.leaves->without_time = unknown_time;
  world.upstream.Script(refused);
  const std::string right = world.Submit("same", "caller-2");
  ASSERT_TRUE(world.RunToState(right, kHeld));
  ASSERT_TRUE(world.RunUntil([&] { return !world.Get(wrong).candidate_upstream_ids.empty(); },
                             absl::Minutes(11)));
  ASSERT_EQ(world.upstream.posts().size(), 2u);

  const auto adopted = Resolve(world, Adopt(world, wrong, "record-1"));
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  world.RunFor(absl::Hours(30));
  EXPECT_EQ(world.State(right), kHeld);
  EXPECT_EQ(world.upstream.posts().size(), 2u);
  world.Restart();
  world.RunFor(absl::Hours(3));
  EXPECT_EQ(world.State(right), kHeld);
  EXPECT_EQ(world.upstream.posts().size(), 2u);
  // A person can end it.
  EXPECT_TRUE(Resolve(world, Abandon(world, right, "caller-2")).ok());
}

TEST(Resolve, AWrongAdoptionNeverCausesASecondPost) {
  ExpectNoSecondPostAfterAWrongAdoption(/*empty_echo=*/false, /*unknown_time=*/false);
}

TEST(Resolve, AWrongAdoptionOfAnEmptyEchoNeverCausesASecondPost) {
  ExpectNoSecondPostAfterAWrongAdoption(/*empty_echo=*/true, /*unknown_time=*/false);
}

TEST(Resolve, AWrongAdoptionOfARecordWithoutATimeNeverCausesASecondPost) {
  ExpectNoSecondPostAfterAWrongAdoption(/*empty_echo=*/false, /*unknown_time=*/true);
}

TEST(Resolve, AnAdoptionDoesNotHoldUpOtherPayloads) {
  WorldOptions options;
  options.settings.reconcile.confirm_window = absl::Minutes(2);
  SteppedWorld world(options);
  const std::string job = HeldTwin(world);
  ASSERT_TRUE(Resolve(world, Adopt(world, job, "record-1")).ok());
  world.upstream.Script(Script(Kind::kCapacity));
  const std::string other = world.Submit("other");
  ASSERT_TRUE(world.RunToEnd(other));
  EXPECT_EQ(world.State(other), kSucceeded);
}

}  // namespace
}  // namespace lumaedit
