// A watch of all jobs of a caller, or of those with some labels or ids, that goes on for ever.
//
// It lists the jobs, then watches from the list's token on, and whenever the stream breaks opens
// another with the last token it was given. Of each job it keeps the last sequence delivered: a
// repeat is dropped, a gap is filled by a watch of that job alone. When the gateway no longer knows
// the token (it is older than the retention, or the gateway's store is another one), the jobs are
// listed again, and what happened meanwhile is delivered from each job's own history. So the
// callback sees each transition once, and those of a job in order, over any number of breaks.
//
// Between jobs the order is that in which the gateway recorded the transitions, but for the filling
// of a gap. Memory: a live job costs about 150 bytes, and as much each of the last
// `final_jobs_kept` that ended (while a list is read, of twice as many); older ones are told by the
// time they ended. A transition may come twice only when more than `final_jobs_kept` jobs end while
// one list is being read, or when a list breaks off that had more final jobs to tell than that.
//
// A job that a restored store knows at a lower sequence than was delivered tells nothing until it
// has passed that sequence: numbers are never delivered twice.
//
// Threads: WatchAll blocks the calling thread, and every callback runs on it, one at a time. A
// callback that takes long holds back the stream; the gateway ends it after a minute, and the watch
// then resumes. To stop, let a callback answer kStop, or request a stop from any thread: no
// callback runs after WatchAll has returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/connection.h"
#include "client/result.h"
#include "client/watch.h"
#include "lumaedit/v1/edit_service.pb.h"

namespace lumaedit::client {

class Client;

using JobTransitionCallback =
    std::function<WatchStep(const std::string& job_id, const v1::Transition& transition)>;

struct WatchAllOptions : FollowOptions {
  // Only these jobs, at most 1000, or only jobs with all of these labels; not both. Empty: all.
  std::vector<std::string> job_ids;
  std::map<std::string, std::string> labels;

  // Where an earlier watch with the same filter stopped (on_position): no list is read then. Empty:
  // begin with a list.
  std::string resume_token;

  // Asked for each job of a list that this watch has not heard of: the last sequence of it that the
  // caller has. Everything after it is delivered. Empty: the first list counts as known, so that
  // only what follows is delivered; of jobs that appear in a later list, everything is. (After a
  // `resume_token` that was too old nobody knows what was missed: then everything is delivered of
  // every job that this watch has not heard of.)
  std::function<std::int32_t(const v1::Job& job)> known_sequence;

  // Told each job that a list shows, newest first, before anything of it is delivered; in the first
  // list, and again whenever the jobs had to be listed again. May be empty.
  std::function<WatchStep(const v1::Job& job)> on_listed;

  // All that had happened when the stream was opened has been delivered. Once for every stream.
  std::function<WatchStep()> on_caught_up;

  // Everything up to this token has been delivered: a process that keeps it can go on from there.
  std::function<void(const std::string& resume_token)> on_position;

  // How many final jobs are remembered.
  std::size_t final_jobs_kept = 10'000;
};

// How a watch ended without an error: a callback stopped it.
struct WatchAllEnd {
  // For WatchAllOptions; empty: nothing was reached yet. One that was too old when the watch was
  // stopped amid the list that followed leads to a list again, and to what was told from there.
  std::string resume_token;
  int resumes = 0;  // how many breaks there were
  int lists = 0;    // how many times the jobs were listed
};

// What Client::WatchAll does; call that.
Result<WatchAllEnd> RunWatchAll(Client& client, const std::shared_ptr<Connection>& connection,
                                absl::Duration connect_timeout,
                                const JobTransitionCallback& on_transition,
                                const WatchAllOptions& options);

}  // namespace lumaedit::client
