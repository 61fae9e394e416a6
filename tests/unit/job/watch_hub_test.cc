#include "server/job/watch_hub.h"

#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <thread>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"
#include "tests/unit/job/transitions_only.h"

namespace lumaedit {
namespace {

class Reader final : public Watcher {
 public:
  void Wake() override {
    ++wakes;
    MutexLock lock(mutex_);
    while (feed_) {
      const auto entry = feed_->Next(static_cast<int>(seen_.size()));
      if (!entry) return;
      seen_.push_back(entry->transition.sequence);
    }
  }
  void Attach(std::shared_ptr<JobFeed> feed) {
    {
      MutexLock lock(mutex_);
      feed_ = std::move(feed);
    }
    Wake();
  }
  bool SawInOrder(int last) const {
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      if (seen_[i] != static_cast<int>(i) + 1) return false;
    }
    return static_cast<int>(seen_.size()) == last;
  }
  std::atomic<int> wakes = 0;

 private:
  mutable Mutex mutex_;
  std::shared_ptr<JobFeed> feed_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> seen_ ABSL_GUARDED_BY(mutex_);
};

class WatchHubTest : public testing::Test {
 protected:
  std::shared_ptr<Reader> Open(const std::string& job = "job") {
    auto reader = std::make_shared<Reader>();
    auto feed = hub_.Open("caller", job, reader);
    EXPECT_TRUE(feed.ok()) << feed.status();
    if (feed.ok()) reader->Attach(*feed);
    return reader;
  }

  TransitionsOnly store_;
  InlineWorker worker_;
  ManualClock clock_{absl::UnixEpoch()};
  RecordingLog log_;
  WatchHub hub_{{.store = store_,
                 .store_worker = worker_,
                 .fan_out_worker = worker_,
                 .clock = clock_,
                 .log = log_,
                 .encoder = nullptr}};
};

TEST_F(WatchHubTest, ReplayThenLive) {
  for (int i = 0; i < 3; ++i) store_.Commit(JobNamed("job"));
  const auto reader = Open();
  EXPECT_TRUE(reader->SawInOrder(3));
  hub_.Publish(JobNamed("job"), store_.Commit(JobNamed("job")));
  EXPECT_TRUE(reader->SawInOrder(4));
}

TEST_F(WatchHubTest, LongReplaysComeInPages) {
  for (int i = 0; i < 250; ++i) store_.Commit(JobNamed("job"));
  EXPECT_TRUE(Open()->SawInOrder(250));
  EXPECT_EQ(store_.reads, 3);
  EXPECT_TRUE(Open()->SawInOrder(250));
}

TEST_F(WatchHubTest, ACommitDuringTheReplayIsNotMissed) {
  store_.Commit(JobNamed("job"));
  bool once = true;
  store_.before_read = [&] {
    if (!std::exchange(once, false)) return;
    store_.Commit(JobNamed("job"));
    hub_.Publish(JobNamed("job"),
                 store_.Commit(JobNamed("job")));  // 3, while the feed holds nothing
  };
  EXPECT_TRUE(Open()->SawInOrder(3));
}

TEST_F(WatchHubTest, PublicationsOutOfOrderAreReadFromTheStore) {
  store_.Commit(JobNamed("job"));
  const auto reader = Open();
  const Transition second = store_.Commit(JobNamed("job"));
  const Transition third = store_.Commit(JobNamed("job"));
  hub_.Publish(JobNamed("job"), third);
  EXPECT_TRUE(reader->SawInOrder(3));
  hub_.Publish(JobNamed("job"), second);
  EXPECT_TRUE(reader->SawInOrder(3));
}

TEST_F(WatchHubTest, AStoreThatIsAwayDelaysButLosesNothing) {
  store_.Commit(JobNamed("job"));
  const auto reader = Open();
  store_.broken = true;
  store_.Commit(JobNamed("job"));
  hub_.Publish(JobNamed("job"), store_.Commit(JobNamed("job")));
  EXPECT_TRUE(reader->SawInOrder(1));
  EXPECT_EQ(log_.Count("feed_load_failed"), 1);
  store_.broken = false;
  hub_.Publish(JobNamed("job"), store_.Commit(JobNamed("job")));
  EXPECT_TRUE(reader->SawInOrder(4));
}

TEST_F(WatchHubTest, AFailedOpenLeavesNobodyBehind) {
  store_.broken = true;
  {
    auto reader = std::make_shared<Reader>();
    EXPECT_FALSE(hub_.Open("caller", "job", reader).ok());
  }
  hub_.Sweep();
  clock_.Advance(WatchHub::kIdleFeed);
  hub_.Sweep();
  EXPECT_EQ(hub_.feed_count(), 0u);
}

TEST_F(WatchHubTest, PublishingToNobodyReadsNothing) {
  hub_.Publish(JobNamed("job"), store_.Commit(JobNamed("job")));
  EXPECT_EQ(store_.reads, 0);
  EXPECT_EQ(hub_.feed_count(), 0u);
}

TEST_F(WatchHubTest, FeedsLeaveMemoryAfterTheirLastReader) {
  store_.Commit(JobNamed("job"));
  auto reader = Open();
  auto feed = hub_.Open("caller", "job", reader);
  hub_.Close(**feed, reader.get());
  EXPECT_EQ(hub_.watcher_count(), 0u);
  clock_.Advance(WatchHub::kIdleFeed - absl::Seconds(1));
  hub_.Sweep();
  EXPECT_EQ(hub_.feed_count(), 1u);
  clock_.Advance(absl::Seconds(1));
  hub_.Sweep();
  EXPECT_EQ(hub_.feed_count(), 0u);
  // Whoever still holds the feed reads on in peace; a new reader gets a new one.
  EXPECT_EQ((*feed)->newest(), 1);
  EXPECT_TRUE(Open()->SawInOrder(1));
}

TEST_F(WatchHubTest, AReaderThatVanishedIsNoReader) {
  Open().reset();
  hub_.Sweep();
  EXPECT_EQ(hub_.watcher_count(), 0u);
}

TEST_F(WatchHubTest, AWakeReachesEveryoneOverManyBatches) {
  store_.Commit(JobNamed("job"));
  std::vector<std::shared_ptr<Reader>> readers;
  for (int i = 0; i < 1000; ++i) readers.push_back(Open());
  // Holes, and places that were taken again.
  for (std::size_t i = 0; i < readers.size(); i += 3) readers[i] = Open();
  hub_.Publish(JobNamed("job"), store_.Commit(JobNamed("job")));
  for (const auto& reader : readers) EXPECT_TRUE(reader->SawInOrder(2));
}

TEST_F(WatchHubTest, ACommitWhoseAnswerWasLostIsReadAgain) {
  store_.Commit(JobNamed("job"));
  const auto reader = Open();
  store_.Commit(JobNamed("job"));  // never published
  store_.broken = true;
  hub_.Refresh("caller");
  EXPECT_TRUE(reader->SawInOrder(1));
  store_.broken = false;
  hub_.Sweep();
  EXPECT_TRUE(reader->SawInOrder(2));
  store_.Commit(JobNamed("job"));
  hub_.Refresh("caller");
  EXPECT_TRUE(reader->SawInOrder(3));
  EXPECT_EQ(hub_.WatchedCallers(),
            (std::vector<std::pair<std::string, std::int64_t>>{{"caller", 3}}));
}

TEST_F(WatchHubTest, ARefreshAfterMoreThanAWindowReadsTheJobsThemselves) {
  store_.Commit(JobNamed("job"));
  const auto reader = Open();
  for (std::size_t i = 0; i < CallerFeed::kWindow + 50; ++i) store_.Commit(JobNamed("other"));
  store_.Commit(JobNamed("job"));
  hub_.Refresh("caller");
  EXPECT_TRUE(reader->SawInOrder(2));
}

// The processor's, so that a machine that is busy with others does not count.
absl::Duration ThreadTime() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

TEST_F(WatchHubTest, LeavingCostsTheSameWithManyAsWithFew) {
  const auto time_to_leave = [&](int count) {
    std::vector<std::shared_ptr<Reader>> readers;
    std::shared_ptr<JobFeed> feed;
    for (int i = 0; i < count; ++i) {
      readers.push_back(std::make_shared<Reader>());
      feed = *hub_.Open("caller", "job", readers.back());
    }
    const absl::Duration start = ThreadTime();
    for (const auto& reader : readers) hub_.Close(*feed, reader.get());
    return ThreadTime() - start;
  };
  time_to_leave(1000);
  const absl::Duration few = time_to_leave(1000);
  // Thirty times as many: thirty times as long, where looking at each other would take 900 times.
  EXPECT_LT(time_to_leave(30'000), 250 * few + absl::Milliseconds(20));
}

TEST(WatchHubThreads, ManyReadersManyWritersNoGap) {
  TransitionsOnly store;
  ManualClock clock(absl::UnixEpoch());
  RecordingLog log;
  constexpr int kLast = 300;
  std::vector<std::shared_ptr<Reader>> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(std::make_shared<Reader>());
  auto fan_out = std::make_unique<ThreadWorker>("fan_out", 1, 1 << 20);
  auto store_worker = std::make_unique<ThreadWorker>("store", 2, 1 << 20);
  WatchHub hub({.store = store,
                .store_worker = *store_worker,
                .fan_out_worker = *fan_out,
                .clock = clock,
                .log = log,
                .encoder = nullptr});
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&] {
      for (int i = 0; i < kLast / 2; ++i)
        hub.Publish(JobNamed("job"), store.Commit(JobNamed("job")));
    });
  }
  threads.emplace_back([&] {
    for (const auto& reader : readers) {
      auto feed = hub.Open("caller", "job", reader);
      ASSERT_TRUE(feed.ok());
      reader->Attach(*feed);
    }
  });
  for (std::thread& thread : threads) thread.join();
  // Each runs dry before it ends; the first one feeds the second.
  store_worker.reset();
  fan_out.reset();
  for (const auto& reader : readers) EXPECT_TRUE(reader->SawInOrder(kLast));
}

}  // namespace
}  // namespace lumaedit
