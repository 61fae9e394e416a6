// The position that comes with a page of the list.
#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "server/job/job_service.h"
#include "tests/fakes/fake_media_probe.h"
#include "tests/fakes/fake_source_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"
#include "tests/fakes/seeded_random.h"
#include "tests/unit/job/transitions_only.h"

namespace lumaedit {
namespace {

// Something is committed just before each page is read.
class BusyStore final : public TransitionsOnly {
 public:
  absl::StatusOr<JobPage> List(const std::string&, const JobFilter&,
                               const std::optional<JobCursor>&, int) override {
    Commit(JobNamed("a"));
    return JobPage{};
  }
};

TEST(JobList, ItsPositionLiesBeforeWhatThePageMayMiss) {
  BusyStore store;
  store.Commit(JobNamed("a"));
  FakeSourceStore sources;
  InlineWorker worker;
  ManualClock clock{absl::UnixEpoch()};
  RecordingLog log;
  SeededRandom random{1};
  FakeMediaProbe probe;
  SourceMeasurer measurer{probe, worker, absl::Seconds(30)};
  LiveBoard board;
  WatchHub hub({.store = store,
                .store_worker = worker,
                .fan_out_worker = worker,
                .clock = clock,
                .log = log,
                .encoder = nullptr});
  JobService service({.store = store,
                      .sources = sources,
                      .hub = hub,
                      .board = board,
                      .store_worker = worker,
                      .measurer = measurer,
                      .clock = clock,
                      .random = random,
                      .log = log},
                     {}, {}, absl::Hours(1));
  std::optional<absl::StatusOr<SnapshotPage>> listed;
  service.List("caller", {}, std::nullopt, 10,
               Reply<SnapshotPage>([&](absl::StatusOr<SnapshotPage> page) { listed = page; }));
  ASSERT_TRUE(listed && listed->ok());
  EXPECT_EQ((*listed)->store_id, "store-1");
  // The second change is told by a watch from there, though the page may show it too.
  EXPECT_EQ((*listed)->change, 1);
}

}  // namespace
}  // namespace lumaedit
