// Chooses which PENDING job is sent next, and when: round robin over callers, first in first out
// within one, at most so many POSTs at once (protocol.md section 3).
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "server/base/signal.h"
#include "server/job/attempt_driver.h"
#include "server/job/breaker.h"
#include "server/job/engine_context.h"

namespace lumaedit {

class Dispatcher {
 public:
  explicit Dispatcher(EngineContext& context);

  // Until the engine drains.
  boost::asio::awaitable<void> Run();

  // A job that is PENDING; known ones are updated.
  void Add(const Job& job);
  void Remove(const std::string& job_id);

  // Looks again: the engine drains, or the key was changed.
  void Wake() { wake_.Notify(); }

  int in_flight() const { return in_flight_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string caller;
    absl::Time create_time;
    absl::Duration not_before;                                 // uptime
    absl::Duration start_deadline = absl::InfiniteDuration();  // uptime
    int unsent_failures = 0;
  };
  using Place = std::pair<absl::Time, std::string>;  // create_time, job id

  void Enqueue(const std::string& job_id, const Waiting& waiting);
  std::optional<std::string> Pick(absl::Duration now);
  absl::Duration NextWait(absl::Duration now) const;
  void ExpireOverdue(absl::Duration now);
  boost::asio::awaitable<void> Send(std::string job_id, Waiting waiting,
                                    std::shared_ptr<CountedPlace> place);
  void OnReport(const std::string& job_id, Waiting waiting, const AttemptReport& report);
  boost::asio::awaitable<void> FailUnstarted(std::string job_id);

  EngineContext& context_;
  AttemptDriver driver_;
  Breaker breaker_;
  Signal wake_;
  std::unordered_map<std::string, Waiting> waiting_;
  std::map<std::string, std::set<Place>> queues_;  // by caller; no empty ones
  std::set<std::string> sending_;                  // one POST of a job at a time
  std::string last_caller_;
  int in_flight_ = 0;
};

}  // namespace lumaedit
