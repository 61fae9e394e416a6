// Reads pages of the upstream's list for the poller: plans them, learns from them where records
// stand, and leaves them alone for a while when they fail (protocol.md section 7).
//
// Owned by Poller; I/O thread. Only the list of the key of now is read; what was learned of it is
// forgotten when the key changes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/job/engine_context.h"
#include "server/job/list_map.h"
#include "server/job/list_walk.h"
#include "server/job/sweep_plan.h"

namespace lumaedit {

class ListSweeper {
 public:
  explicit ListSweeper(EngineContext& context) : context_(context) {}

  // Is the list read at all, with so many running jobs?
  bool IsOn(std::size_t jobs) const;
  // The key that asks now may have changed since it was asked last, and time has passed.
  void NoticeKey();

  // A running job. `is_newest`: it was accepted just now.
  void Track(const Job& job, bool is_newest);
  void Untrack(const Job& job) {
    map_.Untrack(job.upstream_id);
    looked_to_.erase(job.upstream_id);
  }
  // May the list of this key tell about the job? Begins to track it.
  bool MayServe(const Job& job);
  void Displace(const Job& job) { map_.Displace(job.upstream_id); }

  // Until when jobs whose place is not known are better left to the walk; -InfiniteDuration: it
  // finds few. It is put off with every page: a list that hangs is not waited for.
  absl::Duration SeeksUntil() const { return walk_.SeeksUntil(); }
  bool IsSought(const Job& job, absl::Duration now) const {
    return walk_.SeeksUntil() > now && !map_.OffsetOf(job.upstream_id).has_value();
  }
  absl::Duration WalkDue(absl::Duration now) const { return walk_.Due(now, map_.unplaced()); }

  std::optional<SweepPage> Plan(const Job& job,
                                absl::FunctionRef<bool(const std::string&)> useful) {
    return PlanPage(map_, job.upstream_id, useful);
  }

  // Unset: it failed, or the key changed meanwhile, and nothing that was read counts.
  struct Reading {
    std::string key;
    absl::Time asked;  // before this the list was as it reads
    std::vector<UpstreamRecord> records;
    bool was_stopped = false;  // inside a record: there is more
  };
  boost::asio::awaitable<std::optional<Reading>> Read(SweepPage page);
  // The next stretch of the walk.
  boost::asio::awaitable<std::optional<Reading>> Walk();
  void ForgetWalk() { walk_.Reset(); }

  // A record that is 404 by id, looked for in the list: where it stood last, else among the newest,
  // and each time a stretch further down. Each request, of which there are about ten, waits for its
  // turn; `turn` answers false when there is none any more, which ends it as a changed key does.
  struct Found {
    std::optional<UpstreamRecord> record;
    bool key_changed = false;  // meanwhile: there may be a record all the same
  };
  using AwaitTurn = absl::FunctionRef<boost::asio::awaitable<bool>()>;
  boost::asio::awaitable<Found> Find(Accounts::Reader reader, std::string upstream_id,
                                     AwaitTurn turn);

 private:
  bool IsMine(const Job& job) const;
  boost::asio::awaitable<std::optional<Reading>> Ask(int offset, int limit,
                                                     std::vector<std::string> waited_for,
                                                     std::optional<ListWalk::Stretch> stretch);
  std::shared_ptr<ListSweep> MakeSweep(const std::vector<std::string>& waited_for) const;
  void Fail(const ListResult& answer, int limit);
  void LearnMost(int records);

  // A stretch of the list that is searched for one record.
  struct Scan {
    Accounts::Reader reader;
    std::string upstream_id;
    std::shared_ptr<const ListSweep> sweep;
    int limit = 0;     // of a page
    int offset = 0;    // the next one, or the one that was found
    int end = 0;       // no page begins there or behind
    int requests = 0;  // that are left
  };
  enum class ScanEnd { kFound, kRange, kList, kFailure, kKey };
  struct Scanned {
    ScanEnd end;
    Found result;
  };
  void LookedTo(const Scan& scan, ScanEnd end);
  boost::asio::awaitable<Scanned> Search(Scan& scan, AwaitTurn turn);
  boost::asio::awaitable<std::optional<ListResult>> Ask(Scan& scan, bool is_alone, AwaitTurn turn);

  EngineContext& context_;
  std::string key_;
  ListMap map_;
  ListWalk walk_;
  std::unordered_map<std::string, int> looked_to_;           // where the next Find of an id goes on
  int failures_ = 0;                                         // in a row
  absl::Duration paused_until_ = -absl::InfiniteDuration();  // uptime
  absl::Duration limit_until_ = absl::InfiniteDuration();    // uptime
};

}  // namespace lumaedit
