#include "server/job/watch_hub.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"

namespace lumaedit {
namespace {

// A store that has transitions and nothing else. Any thread.
class TransitionsOnly final : public JobStore {
 public:
  Transition Commit() {
    MutexLock lock(mutex_);
    Transition next;
    next.sequence = static_cast<int>(rows_.size()) + 1;
    rows_.push_back(next);
    return next;
  }
  std::function<void()> before_read;

  absl::StatusOr<std::vector<Transition>> Transitions(const std::string&, const std::string&,
                                                      int after, int limit) override {
    if (before_read) before_read();
    ++reads;
    if (broken) return absl::UnavailableError("the store is away");
    MutexLock lock(mutex_);
    std::vector<Transition> page;
    for (std::size_t i = static_cast<std::size_t>(after);
         i < rows_.size() && page.size() < static_cast<std::size_t>(limit); ++i) {
      page.push_back(rows_[i]);
    }
    return page;
  }
  std::atomic<int> reads = 0;
  std::atomic<bool> broken = false;

  absl::StatusOr<InsertResult> Insert(const NewJob&) override { return Not(); }
  absl::StatusOr<Job> FindByRequestId(const std::string&, const std::string&) override {
    return Not();
  }
  absl::StatusOr<Job> Get(const std::string&, const std::string&) override { return Not(); }
  absl::StatusOr<JobPage> List(const std::string&, const JobFilter&,
                               const std::optional<JobCursor>&, int) override {
    return Not();
  }
  absl::StatusOr<std::vector<JobTransition>> Changes(const std::string&, std::int64_t,
                                                     int) override {
    return Not();
  }
  absl::StatusOr<std::int64_t> NewestChange(const std::string&) override { return Not(); }
  absl::StatusOr<Budget> GetBudget(const std::string&, absl::Time) override { return Not(); }
  absl::StatusOr<std::optional<GenerationOrigin>> OriginOfGeneration(const std::string&) override {
    return Not();
  }
  absl::StatusOr<Lease> Acquire(const std::string&) override { return Not(); }
  absl::StatusOr<Lease> Renew(const Lease&) override { return Not(); }
  absl::Status Release(const Lease&) override { return Not(); }
  absl::StatusOr<std::vector<LiveJob>> LiveJobs(const Lease&, const std::string&, int) override {
    return Not();
  }
  absl::StatusOr<Change> Update(const std::string&, const Lease*, DecideFunction) override {
    return Not();
  }
  absl::StatusOr<Change> Seal(const Lease&, const Attempt&) override { return Not(); }
  absl::Status RecordFact(const std::string&, int, const Fact&, bool) override { return Not(); }
  absl::StatusOr<JobView> View(const std::string&) override { return Not(); }
  absl::StatusOr<std::vector<UnboundAttempt>> UnboundAttempts(const std::string&) override {
    return Not();
  }
  absl::StatusOr<std::vector<std::string>> OwnedIds(const std::string&,
                                                    const std::vector<std::string>&) override {
    return Not();
  }
  absl::StatusOr<int> Purge(absl::Time, absl::Time, int) override { return Not(); }
  absl::StatusOr<std::string> GetSetting(const std::string&) override { return Not(); }
  absl::Status PutSetting(const std::string&, const std::string&) override { return Not(); }

 private:
  static absl::Status Not() { return absl::UnimplementedError("only transitions"); }

  Mutex mutex_;
  std::vector<Transition> rows_ ABSL_GUARDED_BY(mutex_);
};

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
  for (int i = 0; i < 3; ++i) store_.Commit();
  const auto reader = Open();
  EXPECT_TRUE(reader->SawInOrder(3));
  hub_.Publish("job", store_.Commit());
  EXPECT_TRUE(reader->SawInOrder(4));
}

TEST_F(WatchHubTest, LongReplaysComeInPages) {
  for (int i = 0; i < 250; ++i) store_.Commit();
  EXPECT_TRUE(Open()->SawInOrder(250));
  EXPECT_EQ(store_.reads, 3);
  EXPECT_TRUE(Open()->SawInOrder(250));
}

TEST_F(WatchHubTest, ACommitDuringTheReplayIsNotMissed) {
  store_.Commit();
  bool once = true;
  store_.before_read = [&] {
    if (!std::exchange(once, false)) return;
    store_.Commit();
    hub_.Publish("job", store_.Commit());  // 3, while the feed holds nothing
  };
  EXPECT_TRUE(Open()->SawInOrder(3));
}

TEST_F(WatchHubTest, PublicationsOutOfOrderAreReadFromTheStore) {
  store_.Commit();
  const auto reader = Open();
  const Transition second = store_.Commit();
  const Transition third = store_.Commit();
  hub_.Publish("job", third);
  EXPECT_TRUE(reader->SawInOrder(3));
  hub_.Publish("job", second);
  EXPECT_TRUE(reader->SawInOrder(3));
}

TEST_F(WatchHubTest, AStoreThatIsAwayDelaysButLosesNothing) {
  store_.Commit();
  const auto reader = Open();
  store_.broken = true;
  store_.Commit();
  hub_.Publish("job", store_.Commit());
  EXPECT_TRUE(reader->SawInOrder(1));
  EXPECT_EQ(log_.Count("feed_load_failed"), 1);
  store_.broken = false;
  hub_.Publish("job", store_.Commit());
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
  hub_.Publish("job", store_.Commit());
  EXPECT_EQ(store_.reads, 0);
  EXPECT_EQ(hub_.feed_count(), 0u);
}

TEST_F(WatchHubTest, FeedsLeaveMemoryAfterTheirLastReader) {
  store_.Commit();
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

TEST_F(WatchHubTest, WakeAllWakesEveryone) {
  const auto a = Open("a");
  const auto b = Open("b");
  const int before = a->wakes + b->wakes;
  hub_.WakeAll();
  EXPECT_EQ(a->wakes + b->wakes, before + 2);
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
      for (int i = 0; i < kLast / 2; ++i) hub.Publish("job", store.Commit());
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
