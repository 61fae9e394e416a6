// Finds out what unclear POSTs did: reads the list, binds records to attempts, and holds what it
// cannot find within the confirm window (protocol.md section 4).
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/base/signal.h"
#include "server/job/attempt_rules.h"
#include "server/job/engine_context.h"
#include "server/job/fit_rules.h"
#include "server/job/pass_reader.h"

namespace lumaedit {

class Reconciler {
 public:
  explicit Reconciler(EngineContext& context);

  // Until the engine drains.
  boost::asio::awaitable<void> Run();

  // A job that is UNCONFIRMED or HELD. `at_once`: looked for now (after a restart).
  void Add(const Job& job, bool at_once);
  void Remove(const std::string& job_id);
  void Wake() { wake_.Notify(); }

  // The next pass for this job is due now.
  void LookNow(const std::string& job_id);

  // One reading of the list, back to `from` in the upstream's time. Failed where no key given is of
  // this account; a key that is not learned may turn out to be.
  boost::asio::awaitable<Pass> ReadList(std::string account, absl::Time from) {
    return list_.Read(std::move(account), from);
  }

  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    JobState state = JobState::kUnconfirmed;
    absl::Duration since;  // uptime when it came into this state
    absl::Duration due;    // uptime of the next pass
    absl::Time boot_time;  // by our clock when this process first heard of the doubt
  };

  absl::Duration NextDue(const Waiting& waiting, absl::Duration now) const;
  absl::Duration EarliestDue() const;
  boost::asio::awaitable<void> RunPass(std::vector<std::string> job_ids);
  boost::asio::awaitable<void> RunPassOf(std::string account, std::vector<JobView> open);
  // False: the facts settled it, or the job is no longer in doubt.
  boost::asio::awaitable<bool> StillOpen(const JobView& view);
  // The window is over and the job is still UNCONFIRMED: HELD.
  boost::asio::awaitable<void> HoldWhenOver(const JobView& view, const Pass& pass,
                                            std::vector<std::string> candidates);
  boost::asio::awaitable<void> SetUnreachable(const JobView& view, bool unreachable);
  boost::asio::awaitable<void> Judge(JobView view, const Pass& pass,
                                     const std::vector<UnboundAttempt>& rivals);
  // Has it been long enough that a record which is not listed, or reads failed, may be believed?
  bool MayJudgeAbsence(const std::string& job_id, const Attempt& attempt, const Pass& pass) const;
  boost::asio::awaitable<void> JudgeRefusedInWords(const JobView& view, const Fact& refusal,
                                                   const Finding& finding, const Pass& pass);
  boost::asio::awaitable<void> Adopt(const JobView& view, UpstreamRecord record);
  boost::asio::awaitable<void> RecordNotAccepted(const JobView& view, std::string note);
  boost::asio::awaitable<void> Hold(const JobView& view, std::vector<std::string> candidates);
  void WarnOfStrangers(const Pass& pass, const std::vector<UnboundAttempt>& rivals);

  EngineContext& context_;
  PassReader list_;
  Signal wake_;
  std::unordered_map<std::string, Waiting> waiting_;
};

}  // namespace lumaedit
