// What must be true of the engine, kept beside it and compared after every operation: a model of
// about two hundred lines that shares no rule with server/job. It has its own table of states and
// charges, written down from protocol.md sections 1 and 5, and believes FakeUpstream's ledger.
//
// Owned by the test; one thread. A problem is kept as a sentence; the test fails when there is one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {

class ReferenceModel {
 public:
  explicit ReferenceModel(SteppedWorld& world) : world_(world) {}

  struct KnownJob {
    SubmitRequest request;
    std::int64_t price = 0;  // the most it may cost
    JobState state = JobState::kPending;
    ChargeState charge = ChargeState::kReserved;
    int sequence = 0;                          // 0: acknowledged, and no transition was seen yet
    absl::Time since;                          // of the newest transition
    absl::Time sealed = absl::InfinitePast();  // the newest attempt
    absl::Time in_doubt_since = absl::InfinitePast();
    std::string upstream_id;
    CancelResult cancel = CancelResult::kNone;
    std::vector<Transition> seen;  // by its watcher
  };

  // --- What callers were told -------------------------------------------------------------------
  void Acknowledged(const SubmitRequest& request, const Job& job);
  void Refused(const std::string& what, const absl::Status& status);
  void Cancelled(const std::string& job_id, CancelResult result);
  // A person chose the record, and may have chosen another job's.
  void AdoptedByHand(const Job& job);
  void Watched(const std::string& job_id, const std::vector<Transition>& seen);

  // --- What must hold ---------------------------------------------------------------------------
  // After every operation: what changed since the last one.
  void Check();
  // Nothing acknowledged is lost: the store's jobs are exactly these. After a restart.
  void CheckNothingLost();
  // No fault is left and hours have passed.
  void CheckAtRest();

  static bool IsFinal(const KnownJob& job);
  bool AllSettled() const;
  const std::map<std::string, KnownJob>& jobs() const { return jobs_; }
  const std::vector<std::string>& order() const { return order_; }  // ids, as submitted
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  void See(const std::string& caller, const JobTransition& change);
  void CheckJob(const std::string& job_id);
  void CheckMoney();
  void CheckLedger();
  bool IsAdoptable(const std::string& job_id) const;
  void Problem(const std::string& job_id, const std::string& what);

  SteppedWorld& world_;
  std::map<std::string, KnownJob> jobs_;
  std::vector<std::string> order_;
  std::map<std::string, std::int64_t> newest_change_;          // by caller
  std::map<std::string, std::vector<std::string>> by_prompt_;  // job ids
  std::map<std::string, std::string> owner_of_record_;         // upstream id → job id
  std::set<std::string> chosen_prompts_;                       // of jobs adopted by hand
  bool chosen_blindly_ = false;                                // a record without echo or time
  std::vector<std::string> problems_;
};

}  // namespace lumaedit
