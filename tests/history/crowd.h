// Many watchers that speak to the gateway by the generated stubs alone, each with a way of its own:
// steady, slow, coming and going, leaving for good, never reading. What each sees goes into a
// HistoryLog; nothing is judged here.
//
// Owned by main. Watchers live on gRPC's callback threads: the reactions of one are serial, and
// what several share (the crowd's counts, its random numbers) is under its mutex. Destroyed after
// Leave has returned.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lumaedit/v1/edit_service.grpc.pb.h"
#include "tests/history/history_log.h"
#include "tests/history/timers.h"

namespace lumaedit {

enum class Behaviour { kSteady, kSlow, kReconnecting, kLeaving, kNeverReading };

class Watching;

struct CrowdOptions {
  std::string address;
  int connections = 8;
  unsigned seed = 1;
  absl::Duration slowness = absl::Milliseconds(100);  // most pause of a slow reader between reads
};

class Crowd {
 public:
  Crowd(CrowdOptions options, HistoryLog& log);
  ~Crowd();

  // One in ten is slow and one in ten reconnects; with `hostile` one in twenty leaves, and one in
  // twenty never reads.
  Behaviour DrawBehaviour(bool hostile);

  // Watches a job to its end.
  void AddJobWatch(const std::string& job_id, Behaviour behaviour);
  // The same by WaitJob, which cannot but read.
  void AddJobWait(const std::string& job_id, Behaviour behaviour);
  // Watches all jobs from a token of ListJobs on, until `jobs` of them have ended.
  void AddJobsWatch(const std::string& token, int jobs, Behaviour behaviour);

  // Until every watcher that is to see an end has seen it; false after `limit`.
  bool AwaitDone(absl::Duration limit);

  // Ends whatever still runs, and waits for it.
  void Leave();

  std::unique_ptr<v1::EditService::Stub> Stub();

  // --- For the watchers -------------------------------------------------------------------------
  HistoryLog& log() { return log_; }
  const CrowdOptions& options() const { return options_; }
  Timers& timers() { return timers_; }
  double Random();
  // `awaited`: it has seen all that AwaitDone waits for.
  void Done(bool awaited);
  void Gone(Watching* watching);

 private:
  void Start(std::shared_ptr<Watching> watching, bool awaited);
  std::shared_ptr<v1::EditService::Stub> NextStub();

  const CrowdOptions options_;
  HistoryLog& log_;
  std::vector<std::shared_ptr<v1::EditService::Stub>> stubs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::mt19937 random_;  // under mutex_, as is what follows
  std::vector<std::shared_ptr<Watching>> running_;
  int number_ = 0;
  int awaited_ = 0;
  Timers timers_;  // last: it goes first, and nobody is called any more
};

}  // namespace lumaedit
