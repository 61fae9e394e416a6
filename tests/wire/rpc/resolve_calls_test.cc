// ResolveJob and RefreshOutput on the wire.
#include <gmock/gmock.h>

#include "tests/wire/rpc/gateway.h"
#include "tests/wire/rpc/raw_call.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class ResolveCalls : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(gateway_.started().ok()) << gateway_.started();
    stub_ = gateway_.Stub();
  }

  grpc::Status Resolve(const v1::ResolveJobRequest& request, v1::Job* job) {
    grpc::ClientContext context;
    return stub_->ResolveJob(&context, request, job);
  }
  grpc::Status Refresh(const std::string& id, v1::Job* job) {
    grpc::ClientContext context;
    v1::RefreshOutputRequest request;
    request.set_job_id(id);
    return stub_->RefreshOutput(&context, request, job);
  }

  // A job in HELD, sequence 4, with one record that fits it.
  std::string Held() {
    const std::string id = gateway_.SubmitOne();
    gateway_.Seal(id);
    gateway_.Move(id, JobState::kUnconfirmed);
    gateway_.Move(id, JobState::kHeld, [](Job& job) { job.candidate_upstream_ids = {"record-1"}; });
    return id;
  }
  void AddRecord(const std::string& job_id) {
    FakeRecord record;
    record.payload = PayloadFor(gateway_.store().View(job_id)->job.edit);
    gateway_.upstream().AddRecord(record);
  }
  static v1::ResolveJobRequest Abandon(const std::string& id) {
    v1::ResolveJobRequest request;
    request.set_job_id(id);
    request.set_expected_sequence(4);
    request.set_abandon(true);
    return request;
  }
  static v1::ResolveJobRequest Adopt(const std::string& id, const std::string& upstream_id) {
    v1::ResolveJobRequest request = Abandon(id);
    request.set_adopt_upstream_id(upstream_id);
    return request;
  }
  // Another caller's, as no certificate of this connection can see it.
  std::string Foreign() {
    NewJob foreign;
    foreign.job = gateway_.store().View(Held())->job;
    foreign.job.id = gateway_.random().Uuid();
    foreign.job.request_id = gateway_.random().Uuid();
    foreign.job.caller = "somebody else";
    foreign.job.state = JobState::kPending;
    foreign.job.charge.state = ChargeState::kReserved;
    EXPECT_TRUE(gateway_.store().Insert(foreign).ok());
    return foreign.job.id;
  }

  Gateway gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
};

TEST_F(ResolveCalls, ACandidateIsAdopted) {
  const std::string id = Held();
  AddRecord(id);
  v1::Job job;
  const grpc::Status status = Resolve(Adopt(id, "record-1"), &job);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(job.upstream_id(), "record-1");
  EXPECT_EQ(job.state(), v1::Job::STATE_QUEUED);
  EXPECT_EQ(job.charge().state(), v1::Charge::STATE_INCURRED);
  EXPECT_EQ(job.candidate_upstream_ids_size(), 0);
  EXPECT_EQ(gateway_.store().Transitions("local", id, 4, 1)->front().actor, "local");
  // A repeat is a decision about another sequence.
  const Failure repeat = FailureOf(Resolve(Adopt(id, "record-1"), &job));
  EXPECT_EQ(repeat.code, grpc::StatusCode::ABORTED);
  EXPECT_EQ(repeat.reason, "STATE_CHANGED");
  EXPECT_EQ(repeat.metadata.at("sequence"), "5");
}

TEST_F(ResolveCalls, AbandonEndsTheJobOnlyWhereNothingFits) {
  const std::string id = Held();
  v1::Job job;
  ASSERT_TRUE(Resolve(Abandon(id), &job).ok());
  EXPECT_EQ(job.state(), v1::Job::STATE_FAILED);
  EXPECT_EQ(job.error().reason(), v1::ERROR_REASON_SUBMISSION_UNRESOLVED);
  EXPECT_EQ(job.charge().state(), v1::Charge::STATE_UNCERTAIN);

  const std::string found = Held();
  AddRecord(found);
  const Failure failure = FailureOf(Resolve(Abandon(found), &job));
  EXPECT_EQ(failure.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(failure.reason, "RECORD_FOUND");
  EXPECT_EQ(failure.metadata.at("candidate_upstream_ids"), "record-1");
}

TEST_F(ResolveCalls, WrongFieldsAreNamed) {
  v1::Job job;
  EXPECT_THAT(FailureOf(Resolve({}, &job)).fields,
              UnorderedElementsAre("job_id", "expected_sequence", "resolution"));
  v1::ResolveJobRequest request = Abandon("j");
  request.set_abandon(false);
  request.set_note(std::string(513, 'x'));
  EXPECT_THAT(FailureOf(Resolve(request, &job)).fields, UnorderedElementsAre("abandon", "note"));
  EXPECT_THAT(FailureOf(Resolve(Adopt("j", ""), &job)).fields, ElementsAre("adopt_upstream_id"));
  EXPECT_THAT(FailureOf(Refresh("", &job)).fields, ElementsAre("job_id"));
  const Failure malformed =
      FailureOf(RawCall(gateway_.Connect(), "ResolveJob", "\x2a\x02\xff\xff"));
  EXPECT_EQ(malformed.reason, "MALFORMED_MESSAGE");
}

TEST_F(ResolveCalls, RefusesWhatTheJobDoesNotAllow) {
  const std::string id = Held();
  v1::Job job;
  v1::ResolveJobRequest request = Abandon(id);
  request.set_expected_sequence(3);
  const Failure changed = FailureOf(Resolve(request, &job));
  EXPECT_EQ(changed.code, grpc::StatusCode::ABORTED);
  EXPECT_EQ(changed.metadata.at("sequence"), "4");
  const Failure strange = FailureOf(Resolve(Adopt(id, "record-2"), &job));
  EXPECT_EQ(strange.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(strange.reason, "NOT_A_CANDIDATE");

  const std::string pending = gateway_.SubmitOne();
  request = Abandon(pending);
  request.set_expected_sequence(1);
  const Failure not_held = FailureOf(Resolve(request, &job));
  EXPECT_EQ(not_held.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(not_held.reason, "NOT_HELD");
  const Failure not_accepted = FailureOf(Refresh(pending, &job));
  EXPECT_EQ(not_accepted.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(not_accepted.reason, "NOT_ACCEPTED");
}

TEST_F(ResolveCalls, AForeignJobCannotBeToldFromAMissingOne) {
  const std::string foreign = Foreign();
  const std::string missing = gateway_.random().Uuid();
  v1::Job job;
  const Failure not_found = FailureOf(Refresh(missing, &job));
  EXPECT_EQ(not_found.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(not_found.reason, "JOB_NOT_FOUND");
  EXPECT_EQ(FailureOf(Refresh(foreign, &job)), not_found);
  for (const std::string& id : {foreign, missing}) {
    EXPECT_EQ(FailureOf(Resolve(Abandon(id), &job)), not_found);
    EXPECT_EQ(FailureOf(Resolve(Adopt(id, "record-1"), &job)), not_found);
  }
}

TEST_F(ResolveCalls, RefreshAnswersWithWhatTheRecordSaysNow) {
  const std::string id = Held();
  AddRecord(id);
  gateway_.upstream().Find("record-1")->course = {{absl::ZeroDuration(), "success"}};
  v1::Job job;
  ASSERT_TRUE(Resolve(Adopt(id, "record-1"), &job).ok());
  ASSERT_EQ(job.state(), v1::Job::STATE_SUCCEEDED);
  const auto read = job.outcome().read_time();
  v1::Job fresh;
  const grpc::Status status = Refresh(id, &fresh);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(fresh.outcome().video_url(), job.outcome().video_url());
  EXPECT_NE(fresh.outcome().read_time().SerializeAsString(), read.SerializeAsString());
  EXPECT_EQ(fresh.sequence(), 5);
}

}  // namespace
}  // namespace lumaedit
