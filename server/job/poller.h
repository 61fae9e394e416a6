// Asks the upstream about running jobs, one request for all watchers of a job (rule 4), at the pace
// of protocol.md section 7 and under one cap for all: by id, or many at once by a page of the list.
//
// Owned by JobEngine; I/O thread. A poll that saw nothing new writes nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/base/signal.h"
#include "server/job/engine_context.h"
#include "server/job/list_sweeper.h"
#include "server/job/poll_schedule.h"

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
  void Wake();

  // Polls and reads for final jobs share one cap (the reconciler's passes are not under it). Reads
  // for final jobs get every other request at most, so that half is left to running jobs however
  // many are due at once.
  enum class ReadFor { kRunningJob, kFinalJob };
  // Returns when the next read is to be made: true, or false at once when the engine drains.
  boost::asio::awaitable<bool> AwaitTurn(ReadFor whom);
  // How long a read for a final job would wait for its turn now.
  absl::Duration TurnIn() const;

  // One record, by its id, now, and where that is 404 in the list (ListSweeper::Find), each page at
  // its turn.
  struct RecordRead {
    GetResult answer;                      // by its id
    std::optional<UpstreamRecord> record;  // unset: none was read
    bool key_changed = false;  // meanwhile, or the engine drains: nothing that was read counts
  };
  boost::asio::awaitable<RecordRead> Read(Accounts::Reader reader, std::string upstream_id,
                                          ReadFor whom);

  std::size_t live() const { return schedule_.size(); }

 private:
  using Place = std::shared_ptr<CountedPlace>;
  // The jobs that one page has marked as asked and that nobody judges yet: nothing else asks about
  // them again. Shared with who clears up should the page's coroutine end by an exception.
  using Unjudged = std::shared_ptr<std::set<std::string>>;
  using Reading = std::optional<ListSweeper::Reading>;

  // `now` is uptime, the same for both.
  absl::Duration NextDue(absl::Duration now);
  void AskNext(absl::Duration now);
  // A request goes out now.
  void Spend();
  Place SpendOnPoll();
  void AskById(PolledJob& job);
  void AskPage(SweepPage page);
  void Walk();

  boost::asio::awaitable<void> Ask(std::string job_id, Place place);
  boost::asio::awaitable<void> Serve(boost::asio::awaitable<Reading> page, Unjudged unjudged,
                                     Place place);
  struct Seen {
    std::string job_id;
    std::string account;
    UpstreamRecord record;
  };
  // Those of a page that are jobs' to judge; from here on they are being asked about. `unjudged`
  // holds who was planned for, and then who was seen; who is not among them is put back.
  std::vector<Seen> Sort(ListSweeper::Reading page, std::set<std::string>& unjudged);
  void PutBack(const std::string& job_id);
  // After a bug: asked by themselves next, and not at once.
  void GiveUp(const std::set<std::string>& unjudged);
  // What every answer comes to: judged, perhaps expired, asked again later. `record` unset: none
  // was read.
  boost::asio::awaitable<void> Conclude(std::string job_id, std::optional<UpstreamRecord> record,
                                        absl::Time asked, absl::Duration at_least);
  boost::asio::awaitable<void> Judge(std::string job_id, UpstreamRecord record, absl::Time asked);
  // A record that a key of another account does not see says nothing about the job.
  boost::asio::awaitable<void> MarkUnreachable(std::string job_id);
  void LogFailure(const std::string& job_id, const std::string& upstream_id,
                  const GetResult& answer);
  void Reschedule(const std::string& job_id, absl::Duration at_least);
  void Show(const PolledJob& job);

  EngineContext& context_;
  Signal wake_;
  PollSchedule schedule_;
  ListSweeper sweeper_;
  bool walk_is_next_ = true;                              // jobs that are due take turns with it
  absl::Duration next_slot_ = -absl::InfiniteDuration();  // uptime; the cap for all
  absl::Duration next_turn_ = -absl::InfiniteDuration();  // uptime; of reads for final jobs
  std::set<Signal*> awaiting_turn_;
  int in_flight_ = 0;
};

}  // namespace lumaedit
