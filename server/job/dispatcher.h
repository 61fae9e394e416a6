// Chooses which PENDING job is sent next, and when: round robin over callers, first in first out
// within one, at most so many POSTs at once, at the pace and under the breaker of the upstream
// account (protocol.md section 3).
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <string>

#include "server/base/signal.h"
#include "server/job/attempt_driver.h"
#include "server/job/breaker.h"
#include "server/job/engine_context.h"
#include "server/job/engine_status.h"
#include "server/job/pace.h"
#include "server/job/waiting_queue.h"

namespace lumaedit {

class Dispatcher {
 public:
  explicit Dispatcher(EngineContext& context);

  // Until the engine drains.
  boost::asio::awaitable<void> Run();

  // A job that is PENDING; known ones are updated.
  void Add(const Job& job);
  void Remove(const std::string& job_id);

  // Looks again: the engine drains, or dispatch was resumed.
  void Wake() { wake_.Notify(); }

  DispatchStatus Status() const;
  int in_flight() const { return in_flight_; }
  std::size_t waiting() const { return queue_.size(); }

 private:
  // What is known of one upstream account and model.
  struct Lane {
    explicit Lane(const DispatchSettings& settings);
    Breaker breaker;
    Pace pace;
    bool paused_told = false;  // the pause was logged
  };

  std::shared_ptr<Lane> LaneNow(absl::Duration now);
  absl::Duration NextSend(Lane& lane, absl::Duration now) const;
  absl::Duration NextWait(Lane& lane, absl::Duration now);
  void Start(const std::shared_ptr<Lane>& lane, absl::Duration now);
  void FailOverdue(absl::Duration now);
  // Shows on the board what waits: how many jobs are ahead, and when it is tried next.
  void Show(Lane& lane, absl::Duration now);
  boost::asio::awaitable<void> Send(std::string job_id, WaitingJob waiting,
                                    std::shared_ptr<Lane> lane,
                                    std::shared_ptr<CountedPlace> place);
  void OnReport(const std::string& job_id, WaitingJob waiting, Lane& lane,
                const AttemptReport& report);
  // The same for an answer that was no longer waited for: its job is not here.
  void OnLateReport(Lane& lane, const AttemptReport& report);
  void Learn(Lane& lane, const AttemptReport& report, absl::Duration now);
  boost::asio::awaitable<void> FailUnstarted(std::string job_id);

  EngineContext& context_;
  AttemptDriver driver_;
  Signal wake_;
  WaitingQueue queue_;
  std::map<std::string, std::shared_ptr<Lane>> lanes_;  // by account
  std::string key_;                                     // the key's name and its account, as of
  std::string account_;                                 // the last look
  int in_flight_ = 0;
  bool shown_ = true;  // the board shows the queue as it is
  absl::Duration show_at_ = -absl::InfiniteDuration();
};

}  // namespace lumaedit
