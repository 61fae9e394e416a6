// Asks the upstream about running jobs, one request for all watchers of a job (rule 4), at the pace
// of protocol.md section 7 and under one cap for all.
//
// Owned by JobEngine; I/O thread. A poll that saw nothing new writes nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "server/base/signal.h"
#include "server/job/engine_context.h"

namespace lumaedit {

class Poller {
 public:
  explicit Poller(EngineContext& context);

  // Until the engine drains.
  boost::asio::awaitable<void> Run();

  // A job that is QUEUED or PROCESSING; a known one is updated and keeps its pace. `at_once`: due
  // now rather than after the first interval (after a restart everything is due).
  void Add(const Job& job, bool at_once);
  void Remove(const std::string& job_id);
  void Wake() { wake_.Notify(); }

  // A record that is 404 by id, looked for among the newest of the list.
  boost::asio::awaitable<std::optional<UpstreamRecord>> FindInList(Upstream& upstream,
                                                                   std::string upstream_id);

  std::size_t live() const { return live_.size(); }

 private:
  struct Live {
    Job job;  // without its edit: what an observation is judged against
    absl::Duration interval;
    absl::Duration due;       // uptime
    absl::Duration since;     // uptime when it was first tracked
    absl::Duration deadline;  // uptime
    absl::Time last_poll = absl::InfinitePast();
    bool asking = false;
  };

  boost::asio::awaitable<void> Ask(std::string job_id, std::shared_ptr<CountedPlace> place);
  // A record that a key of another account does not see says nothing about the job.
  boost::asio::awaitable<void> MarkUnreachable(std::string job_id);
  boost::asio::awaitable<void> Judge(std::string job_id, UpstreamRecord record, absl::Time before,
                                     absl::Time now);
  void Reschedule(const std::string& job_id, absl::Duration at_least);
  void Schedule(Live& live, const std::string& job_id, absl::Duration due);

  EngineContext& context_;
  Signal wake_;
  std::unordered_map<std::string, Live> live_;
  std::set<std::pair<absl::Duration, std::string>> due_;  // jobs that are not being asked about
  absl::Duration next_slot_ = -absl::InfiniteDuration();  // uptime; the cap for all
  int in_flight_ = 0;
};

}  // namespace lumaedit
