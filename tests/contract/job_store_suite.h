// The contract of JobStore as a parameterised suite: every store is run through the same tests.
//
// A store joins with INSTANTIATE_TEST_SUITE_P(<Name>, JobStoreSuite, Values(<factory>)).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "server/base/random.h"
#include "server/job/job_store.h"
#include "tests/contract/settable_clock.h"

namespace lumaedit {

// A store with what belongs to it (a folder, a database server).
class JobStoreHarness {
 public:
  virtual ~JobStoreHarness() = default;
  virtual JobStore& store() = 0;
  virtual SettableClock& clock() = 0;
  // Closes the store and opens it again on the same data.
  virtual void Reopen() = 0;
  // After this, Acquire by another owner takes over every job.
  virtual void LetLeasesExpire() = 0;
};

using JobStoreFactory = std::function<std::unique_ptr<JobStoreHarness>()>;

inline constexpr char kCaller[] = "caller-a";
inline constexpr char kOtherCaller[] = "caller-b";
inline constexpr char kAccount[] = "account-1";
inline constexpr std::int64_t kPrice = 720'000;

class JobStoreSuite : public testing::TestWithParam<JobStoreFactory> {
 protected:
  JobStoreSuite() : harness_(GetParam()()) {}

  JobStore& store() { return harness_->store(); }
  SettableClock& clock() { return harness_->clock(); }
  absl::Time Now() { return clock().Now(); }

  // A new PENDING job with random ids and a reservation of kPrice.
  NewJob Fresh(const std::string& caller = kCaller);
  // The same, inserted.
  Job Inserted(const std::string& caller = kCaller);
  Job Inserted(const NewJob& new_job);

  Lease Acquired(const std::string& owner = "owner-1");
  Attempt AttemptFor(const Job& job, const std::string& fingerprint);
  // What an answer said, of that kind.
  static Fact FactOf(FactKind kind);

  // Seals an attempt with a fingerprint of its own and answers the job, SUBMITTING.
  Job Sealed(const Lease& lease, const Job& job);

  // Moves the job to `state` with `edit` applied to it first, fenced by `lease` unless it is null.
  absl::StatusOr<Change> Move(
      const std::string& job_id, const Lease* lease, JobState state,
      const std::function<void(Job&)>& edit = [](Job&) {}, int bind_attempt = 0);

  // SUBMITTING, then QUEUED under this upstream id, bound to its attempt.
  Job Accepted(const Lease& lease, const Job& job, const std::string& upstream_id);

  absl::Time window_start() const { return absl::FromUnixSeconds(1'698'796'800); }
  absl::Time day_start() const { return absl::FromUnixSeconds(1'699'920'000); }

  SystemRandom random_;
  std::unique_ptr<JobStoreHarness> harness_;
};

}  // namespace lumaedit
