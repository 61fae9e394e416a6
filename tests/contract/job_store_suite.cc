#include "tests/contract/job_store_suite.h"

#include <utility>

namespace lumaedit {

NewJob JobStoreSuite::Fresh(const std::string& caller) {
  NewJob fresh;
  fresh.job.id = random_.Uuid();
  fresh.job.caller = caller;
  fresh.job.request_id = random_.Uuid();
  fresh.job.edit.prompt = "make it snow";
  fresh.job.edit.source = GenerationSource{"gen-1"};
  fresh.job.quote = {kPrice, kPrice};
  fresh.job.charge = {ChargeState::kReserved, {kPrice, kPrice}};
  fresh.job.create_time = Now();
  fresh.budget_window_start = window_start();
  fresh.day_start = day_start();
  return fresh;
}

Job JobStoreSuite::Inserted(const std::string& caller) { return Inserted(Fresh(caller)); }

Job JobStoreSuite::Inserted(const NewJob& new_job) {
  const auto result = store().Insert(new_job);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? result->job : Job{};
}

Lease JobStoreSuite::Acquired(const std::string& owner) {
  const auto lease = store().Acquire(owner);
  EXPECT_TRUE(lease.ok()) << lease.status();
  return lease.ok() ? *lease : Lease{};
}

Fact JobStoreSuite::FactOf(FactKind kind) {
  Fact fact;
  fact.kind = kind;
  fact.http_status = 503;
  fact.note = "said so";
  return fact;
}

Attempt JobStoreSuite::AttemptFor(const Job& job, const std::string& fingerprint) {
  Attempt attempt;
  attempt.job_id = job.id;
  attempt.account = kAccount;
  attempt.model = "luma-ray-3-2-edit";
  attempt.fingerprint = fingerprint;
  attempt.seal_time = Now();
  return attempt;
}

Job JobStoreSuite::Sealed(const Lease& lease, const Job& job) {
  const auto change = store().Seal(lease, AttemptFor(job, random_.Uuid()));
  EXPECT_TRUE(change.ok()) << change.status();
  return change.ok() ? change->job : Job{};
}

absl::StatusOr<Change> JobStoreSuite::Move(const std::string& job_id, const Lease* lease,
                                           JobState state, const std::function<void(Job&)>& edit,
                                           int bind_attempt) {
  return store().Update(job_id, lease,
                        [&](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
                          Decision decision;
                          decision.job = view.job;
                          edit(decision.job);
                          decision.job.state = state;
                          decision.bind_attempt = bind_attempt;
                          return decision;
                        });
}

Job JobStoreSuite::Accepted(const Lease& lease, const Job& job, const std::string& upstream_id) {
  Sealed(lease, job);
  const auto change = Move(
      job.id, &lease, JobState::kQueued,
      [&](Job& j) {
        j.upstream_account = kAccount;
        j.upstream_id = upstream_id;
        j.accept_time = Now();
        j.charge.state = ChargeState::kIncurred;
      },
      1);
  EXPECT_TRUE(change.ok()) << change.status();
  return change.ok() ? change->job : Job{};
}

}  // namespace lumaedit
