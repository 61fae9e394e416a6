// Asks about jobs that are EXPIRED, by itself, every ten minutes for a day (protocol.md section 1):
// what they became after all fills the outcome and settles the charge, without a transition.
//
// Owned by JobEngine; I/O thread. What is asked when is in memory; after a restart it is read from
// the store and all of it is due.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "server/base/signal.h"
#include "server/job/engine_context.h"
#include "server/job/poller.h"

namespace lumaedit {

class LateOutcomes {
 public:
  LateOutcomes(EngineContext& context, Poller& poller);

  // Those that an earlier process left; at a take-over.
  boost::asio::awaitable<absl::Status> Load();

  // Until the engine drains.
  boost::asio::awaitable<void> Run();
  void Wake() { wake_.Notify(); }

  // A job that changed: one that is EXPIRED and not settled is asked about, others no longer.
  void Note(const Job& job);

  std::size_t waiting() const { return jobs_.size(); }

 private:
  struct Late {
    absl::Duration due;    // uptime
    absl::Duration until;  // uptime of the last look
  };

  void Add(const std::string& job_id, absl::Time expired_at, absl::Duration first_wait);
  void Forget(const std::string& job_id);
  // The earliest that is due is put off to its next look, or forgotten after its last one.
  std::string TakeDue();
  boost::asio::awaitable<void> Ask(std::string job_id);

  EngineContext& context_;
  Poller& poller_;
  Signal wake_;
  std::unordered_map<std::string, Late> jobs_;
  std::set<std::pair<absl::Duration, std::string>> due_;
};

}  // namespace lumaedit
