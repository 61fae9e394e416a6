// Engine, hub, service, SQLite store and FakeUpstream on one thread, with a clock that goes from
// one due wait to the next.
//
// Owned by the test; one thread. The upstream, the clock and the data folder outlive a restart, as
// they do in life.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/job/job_engine.h"
#include "server/job/job_service.h"
#include "server/job/metered_upstream.h"
#include "server/job/watch_hub.h"
#include "tests/fakes/fake_media_probe.h"
#include "tests/fakes/fake_source_store.h"
#include "tests/fakes/fake_upstream.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit {

// A watcher that reads everything from the hub, as a stream does.
class ReadingWatcher final : public Watcher, public std::enable_shared_from_this<ReadingWatcher> {
 public:
  explicit ReadingWatcher(int after) : cursor_(after) {}
  void Attach(std::shared_ptr<JobFeed> feed);
  void Wake() override;
  const std::vector<Transition>& seen() const { return seen_; }
  const JobFeed* feed() const { return feed_.get(); }

 private:
  std::shared_ptr<JobFeed> feed_;
  int cursor_;
  std::vector<Transition> seen_;
};

struct WorldOptions {
  EngineSettings settings;
  std::string data_folder;  // empty: a temporary one
  absl::Time start = absl::FromUnixSeconds(1'800'000'000);
  std::uint64_t seed = 1;
  bool start_engine = true;
  BudgetSettings budget;
  std::string vfs;                // the name of a SQLite file layer
  JobMetrics* metrics = nullptr;  // outlives the world; null: nothing is counted
};

class SteppedWorld {
 public:
  explicit SteppedWorld(WorldOptions options = {});
  ~SteppedWorld();

  // --- Parts ------------------------------------------------------------------------------------
  EngineSettings settings;  // used by the next engine
  TempFolder folder;
  ManualClock clock;
  SeededRandom random;
  RecordingLog log;
  boost::asio::io_context io;
  JobMetrics& metrics;
  FakeUpstream upstream;
  Upstream* previous = nullptr;  // with the key before; for the next engine
  MeteredUpstream metered;       // what the engine asks
  FakeSourceStore sources;
  InlineWorker worker;
  FakeMediaProbe probe;
  SourceMeasurer measurer{probe, worker, absl::Seconds(30)};
  LiveBoard board;

  JobStore& store() { return *store_; }
  JobService& service() { return *service_; }
  JobEngine& engine() { return *engine_; }
  WatchHub& hub() { return *hub_; }

  // --- Time -------------------------------------------------------------------------------------
  // Everything that can run now.
  void Settle();
  // Steps from due wait to due wait until `condition` holds; false: not within `limit`.
  bool RunUntil(const std::function<bool()>& condition, absl::Duration limit);
  void RunFor(absl::Duration time);

  // --- Life of the process ----------------------------------------------------------------------
  void Start();
  // As Start, and when that fails, all is down again: a supervisor's next try.
  absl::Status TryStart();
  // Ends it in the middle of everything, as near to a kill as one process allows.
  void Stop();
  void Restart();
  // As at SIGTERM.
  void ShutDown(absl::Duration patience);

  // --- Calls ------------------------------------------------------------------------------------
  // A valid request; another prompt, another payload.
  SubmitRequest Request(const std::string& prompt, const std::string& caller = "caller-1");
  std::string Submit(const std::string& prompt, const std::string& caller = "caller-1");
  std::string Submit(SubmitRequest request);
  CancelResult Cancel(const std::string& job_id, const std::string& caller = "caller-1");
  std::shared_ptr<ReadingWatcher> Watch(const std::string& job_id, int after = 0,
                                        const std::string& caller = "caller-1");

  Job Get(const std::string& job_id);
  JobView View(const std::string& job_id);
  JobState State(const std::string& job_id) { return Get(job_id).state; }
  std::vector<Transition> Transitions(const std::string& job_id);
  // The states in order; fails the test unless the sequences are 1..n and every step is legal.
  std::vector<JobState> Path(const std::string& job_id);
  bool RunToState(const std::string& job_id, JobState state,
                  absl::Duration limit = absl::Minutes(30));
  bool RunToEnd(const std::string& job_id, absl::Duration limit = absl::Hours(1));

 private:
  absl::Status Open();

  const BudgetSettings budget_;
  const std::string vfs_;
  std::string data_folder_;
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<WatchHub> hub_;
  std::unique_ptr<JobService> service_;
  std::unique_ptr<JobEngine> engine_;
  int starts_ = 0;
};

}  // namespace lumaedit
