// A disk that hangs: what waits is bounded, what is too much is refused at once, and nothing is
// lost when it goes on.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "server/job/job_service.h"
#include "server/store/sqlite_job_store.h"
#include "tests/contract/fault_vfs.h"
#include "tests/fakes/fake_media_probe.h"
#include "tests/fakes/fake_source_store.h"
#include "tests/fakes/recording_log.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit {
namespace {

constexpr int kThreads = 4;
constexpr int kQueue = 16;
constexpr int kSubmits = 100;

// Answers as they come, from any thread.
class Answers {
 public:
  void Add(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    ++counts_[status.ok() ? "ok" : std::string(ErrorReasonName(DetailOf(status).reason))];
    ++all_;
    changed_.notify_all();
  }
  bool WaitFor(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return all_ >= count; });
  }
  std::map<std::string, int> counts() {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> counts_;
  int all_ = 0;
};

TEST(SlowStore, RefusesWhatDoesNotFitAndLosesNothing) {
  SystemClock clock;
  SystemRandom random;
  RecordingLog log;
  TempFolder folder;
  auto opened = OpenSqliteJobStore({.data_dir = folder.path() + "/data",
                                    .clock = clock,
                                    .random = random,
                                    .log = log,
                                    .read_connections = 4,
                                    .vfs = FaultVfs::Name(),
                                    .counters = nullptr});
  ASSERT_TRUE(opened.ok()) << opened.status();
  JobStore& store = **opened;
  const auto lease = store.Acquire("owner");
  ASSERT_TRUE(lease.ok()) << lease.status();
  FakeSourceStore sources;
  LiveBoard board;
  Answers answers;
  {
    ThreadWorker store_worker("store", kThreads, kQueue);
    ThreadWorker fan_out_worker("fan-out", 1, 16);
    FakeMediaProbe probe;
    InlineWorker probe_worker;
    SourceMeasurer measurer(probe, probe_worker, absl::Seconds(30));
    WatchHub hub(WatchHub::Deps{.store = store,
                                .store_worker = store_worker,
                                .fan_out_worker = fan_out_worker,
                                .clock = clock,
                                .log = log,
                                .encoder = nullptr});
    JobService service(JobService::Deps{.store = store,
                                        .sources = sources,
                                        .hub = hub,
                                        .board = board,
                                        .store_worker = store_worker,
                                        .measurer = measurer,
                                        .clock = clock,
                                        .random = random,
                                        .log = log});
    FaultVfs::Heal();
    FaultVfs::Hold();
    for (int i = 0; i < kSubmits; ++i) {
      SubmitRequest request;
      request.caller = "caller-1";
      request.request_id = random.Uuid();
      request.edit.prompt = "edit " + std::to_string(i);
      request.edit.source = GenerationSource{"generation-1"};
      service.Submit(std::move(request),
                     Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
                       answers.Add(answer.status());
                     }));
    }
    // At most what the threads hold and the queue takes may wait; the rest has its answer already.
    const bool refused_at_once = answers.WaitFor(kSubmits - kThreads - kQueue);
    EXPECT_TRUE(refused_at_once);
    EXPECT_LE(store_worker.queued(), static_cast<std::size_t>(kQueue));
    EXPECT_EQ(answers.counts().count("ok"), 0u) << "nothing is acknowledged before it is durable";
    // To ask for a lease once more writes nothing: it needs a thread, and no disk.
    EXPECT_TRUE(store.Renew(*lease).ok());
    FaultVfs::Release();
    EXPECT_TRUE(answers.WaitFor(kSubmits));
  }
  const auto counts = answers.counts();
  ASSERT_EQ(counts.count("ok"), 1u);
  EXPECT_GE(counts.at("ok"), kQueue);
  EXPECT_EQ(counts.at("ok") + counts.at("OVERLOADED"), kSubmits) << "nobody got another answer";
  EXPECT_EQ(*store.NewestChange("caller-1"), counts.at("ok"));
}

}  // namespace
}  // namespace lumaedit
