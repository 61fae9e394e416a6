// The hub's feed of all jobs of a caller: every change in order, once, from memory or the store.
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <thread>

#include "server/job/watch_hub.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/recording_log.h"
#include "tests/unit/job/transitions_only.h"

namespace lumaedit {
namespace {

// Reads as a stream does: the window while it can, the store where it must. Any thread.
class Reader final : public Watcher, public std::enable_shared_from_this<Reader> {
 public:
  explicit Reader(WatchHub& hub, JobsFilter filter = {})
      : hub_(hub), filter_(std::make_shared<const JobsFilter>(std::move(filter))) {}

  absl::Status Open(std::optional<StorePosition> from) {
    absl::Status status;
    hub_.WatchCaller("caller", std::move(from), weak_from_this(),
                     Reply<CallerWatchStart>([&](absl::StatusOr<CallerWatchStart> start) {
                       status = start.status();
                       if (start.ok()) Attach(*start);
                     }));
    return status;
  }
  void Attach(const CallerWatchStart& start) {
    {
      MutexLock lock(mutex_);
      feed_ = start.feed;
      cursor_ = start.from.change;
    }
    Wake();
  }
  void Wake() override {
    {
      MutexLock lock(mutex_);
      while (feed_ && !reading_) {
        const CallerFeed::Step step = feed_->Next(cursor_);
        if (step.found == CallerFeed::Found::kNone) return;
        if (step.found == CallerFeed::Found::kInStore) {
          reading_ = true;
          break;
        }
        cursor_ = step.entry->change();
        if (filter_->Matches(step.entry->job_id, step.entry->labels)) seen_.push_back(cursor_);
      }
      if (!feed_ || !reading_ || std::exchange(asked_, true)) return;
    }
    ++store_reads;
    hub_.ReadChanges(
        "caller", cursor(), filter_,
        Reply<ReplayPage>([self = shared_from_this()](absl::StatusOr<ReplayPage> page) {
          {
            MutexLock lock(self->mutex_);
            ASSERT_TRUE(page.ok()) << page.status();
            for (const ReplayEntry& entry : page->entries) {
              self->seen_.push_back(entry.change);
            }
            self->cursor_ = page->end;
            self->reading_ = self->asked_ = false;
          }
          self->Wake();
        }));
  }
  std::int64_t cursor() const {
    MutexLock lock(mutex_);
    return cursor_;
  }
  std::vector<std::int64_t> seen() const {
    MutexLock lock(mutex_);
    return seen_;
  }
  std::shared_ptr<CallerFeed> feed() const {
    MutexLock lock(mutex_);
    return feed_;
  }
  std::atomic<int> store_reads = 0;

 private:
  WatchHub& hub_;
  const std::shared_ptr<const JobsFilter> filter_;
  mutable Mutex mutex_;
  std::shared_ptr<CallerFeed> feed_ ABSL_GUARDED_BY(mutex_);
  std::int64_t cursor_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::int64_t> seen_ ABSL_GUARDED_BY(mutex_);
};

std::vector<std::int64_t> Numbers(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

StorePosition At(std::int64_t change) { return {"store-1", change}; }

class CallerWatch : public testing::Test {
 protected:
  std::shared_ptr<Reader> Open(std::optional<StorePosition> from, JobsFilter filter = {}) {
    auto reader = std::make_shared<Reader>(hub_, std::move(filter));
    const absl::Status opened = reader->Open(std::move(from));
    EXPECT_TRUE(opened.ok()) << opened;
    return reader;
  }
  void CommitAndPublish(const Job& job) { hub_.Publish(job, store_.Commit(job)); }

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

TEST_F(CallerWatch, FromNowMeansWhatIsCommittedAfterTheStart) {
  CommitAndPublish(JobNamed("a"));
  const auto reader = Open(std::nullopt);
  CommitAndPublish(JobNamed("b"));
  CommitAndPublish(JobNamed("a"));
  EXPECT_EQ(reader->seen(), Numbers(2, 3));
  EXPECT_EQ(reader->store_reads, 0);
}

TEST_F(CallerWatch, WhatLiesBeforeTheWindowComesFromTheStoreInPages) {
  for (int i = 0; i < 250; ++i) store_.Commit(JobNamed("a"));
  const auto reader = Open(At(0));
  EXPECT_EQ(reader->seen(), Numbers(1, 250));
  EXPECT_EQ(reader->store_reads, 3);
  CommitAndPublish(JobNamed("b"));
  EXPECT_EQ(reader->seen(), Numbers(1, 251));
  EXPECT_EQ(reader->store_reads, 3);
}

TEST_F(CallerWatch, AReaderThatSleepsReadsOnFromTheStore) {
  const auto awake = Open(std::nullopt);
  const std::int64_t last = static_cast<std::int64_t>(CallerFeed::kWindow) * 3;
  for (std::int64_t i = 0; i < last; ++i) CommitAndPublish(JobNamed("a"));
  EXPECT_EQ(awake->store_reads, 0);
  const auto late = Open(At(1));
  EXPECT_EQ(late->seen(), Numbers(2, last));
  EXPECT_GT(late->store_reads, 0);
  // The window holds so many and no more.
  const auto feed = awake->feed();
  const auto window = static_cast<std::int64_t>(CallerFeed::kWindow);
  EXPECT_EQ(feed->Next(last - window).found, CallerFeed::Found::kEntry);
  EXPECT_EQ(feed->Next(last - window - 1).found, CallerFeed::Found::kInStore);
}

TEST_F(CallerWatch, PublicationsOutOfOrderAreReadFromTheStore) {
  const auto reader = Open(std::nullopt);
  const Transition first = store_.Commit(JobNamed("a"));
  const Transition second = store_.Commit(JobNamed("b"));
  hub_.Publish(JobNamed("b"), second);
  EXPECT_EQ(reader->seen(), Numbers(1, 2));
  hub_.Publish(JobNamed("a"), first);
  EXPECT_EQ(reader->seen(), Numbers(1, 2));
}

TEST_F(CallerWatch, ACommitDuringTheStartIsNotMissed) {
  store_.Commit(JobNamed("a"));
  bool once = true;
  store_.before_changes = [&] {
    if (std::exchange(once, false)) CommitAndPublish(JobNamed("a"));
  };
  EXPECT_EQ(Open(At(0))->seen(), Numbers(1, 2));
}

TEST_F(CallerWatch, PositionsAreJudgedByTheStore) {
  for (int i = 0; i < 5; ++i) store_.Commit(JobNamed("a"));
  store_.purged = 2;
  const auto refused = [&](const StorePosition& from) {
    return std::make_shared<Reader>(hub_)->Open(from);
  };
  EXPECT_TRUE(HasReason(refused({"store-2", 3}), ErrorReason::kTokenFromOtherStore));
  EXPECT_TRUE(HasReason(refused(At(6)), ErrorReason::kTokenFromOtherStore));
  EXPECT_TRUE(HasReason(refused(At(1)), ErrorReason::kTokenTooOld));
  EXPECT_EQ(hub_.watcher_count(), 0u);
  EXPECT_EQ(Open(At(2))->seen(), Numbers(3, 5));
  EXPECT_EQ(Open(At(5))->seen(), Numbers(6, 5));
}

TEST_F(CallerWatch, FiltersByJobAndByLabels) {
  Job blue = JobNamed("blue");
  blue.options.labels = {{"team", "blue"}, {"stage", "prod"}};
  Job red = JobNamed("red");
  red.options.labels = {{"team", "red"}};
  for (const Job& job : {blue, red, JobNamed("none")}) store_.Commit(job);
  const auto by_id = Open(At(0), {.job_ids = {"none", "red"}, .labels = {}});
  const auto by_label = Open(At(0), {.job_ids = {}, .labels = {{"team", "blue"}}});
  const auto by_two = Open(At(0), {.job_ids = {}, .labels = {{"stage", "prod"}, {"team", "red"}}});
  for (const Job& job : {blue, red, JobNamed("none")}) CommitAndPublish(job);
  EXPECT_EQ(by_id->seen(), (std::vector<std::int64_t>{2, 3, 5, 6}));
  EXPECT_EQ(by_label->seen(), (std::vector<std::int64_t>{1, 4}));
  EXPECT_TRUE(by_two->seen().empty());
  EXPECT_EQ(by_two->cursor(), 6);
}

TEST_F(CallerWatch, ATransitionIsHeldOnceForTheJobAndTheCaller) {
  struct Silent final : Watcher {
    void Wake() override {}
  };
  const auto watcher = std::make_shared<Silent>();
  auto of_job = hub_.Open("caller", "a", watcher);
  ASSERT_TRUE(of_job.ok());
  const auto reader = Open(std::nullopt);
  CommitAndPublish(JobNamed("a"));
  EXPECT_EQ((*of_job)->Next(0), reader->feed()->Next(0).entry->entry);
}

TEST_F(CallerWatch, AReaderHoldsNoMoreOfAReplayThanItIsWorth) {
  struct Sized final : Encoder {
    std::shared_ptr<const void> Encode(const std::string& job_id, const Transition&) override {
      return std::make_shared<std::size_t>(job_id == "long" ? 5000 : 200);
    }
    std::size_t ByteSize(const std::shared_ptr<const void>& encoded) const override {
      return *static_cast<const std::size_t*>(encoded.get());
    }
  };
  Sized encoder;
  WatchHub hub({.store = store_,
                .store_worker = worker_,
                .fan_out_worker = worker_,
                .clock = clock_,
                .log = log_,
                .encoder = &encoder});
  for (int i = 0; i < 100; ++i) store_.Commit(JobNamed("long"));
  for (int i = 0; i < 100; ++i) store_.Commit(JobNamed("short"));
  const auto page_after = [&](std::int64_t after) {
    ReplayPage read;
    hub.ReadChanges("caller", after, std::make_shared<const JobsFilter>(),
                    Reply<ReplayPage>([&](absl::StatusOr<ReplayPage> page) { read = *page; }));
    return read;
  };
  EXPECT_EQ(page_after(0).entries.size(), 4u);
  EXPECT_EQ(page_after(0).end, 4);
  EXPECT_EQ(page_after(4).entries.front().change, 5);
  EXPECT_EQ(page_after(100).entries.size(), 82u);
  EXPECT_EQ(page_after(182).end, 200);
}

// A queue of tasks that the test runs one by one.
class SteppedWorker final : public Worker {
 public:
  bool TryPost(Task task) override {
    Post(std::move(task));
    return true;
  }
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  bool RunOne() {
    if (tasks_.empty()) return false;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    std::move(task)();
    return true;
  }
  std::size_t size() const { return tasks_.size(); }

 private:
  std::deque<Task> tasks_;
};

TEST_F(CallerWatch, ReplaysLeaveTheStoreToOthers) {
  SteppedWorker store_worker;
  WatchHub hub({.store = store_,
                .store_worker = store_worker,
                .fan_out_worker = worker_,
                .clock = clock_,
                .log = log_,
                .encoder = nullptr});
  constexpr int kChanges = 1500;
  for (int i = 0; i < kChanges; ++i) store_.Commit(JobNamed("a"));
  std::vector<std::shared_ptr<Reader>> readers;
  for (int i = 0; i < 200; ++i) {
    readers.push_back(std::make_shared<Reader>(hub, JobsFilter{{"nobody's"}, {}}));
    hub.WatchCaller("caller", At(0), readers.back(),
                    Reply<CallerWatchStart>([reader = readers.back()](auto start) {
                      ASSERT_TRUE(start.ok()) << start.status();
                      reader->Attach(*start);
                    }));
  }
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(store_worker.RunOne());
  // A commit never waits for more than the pages that are being read.
  std::size_t most = 0;
  do {
    most = std::max(most, store_worker.size());
  } while (store_worker.RunOne());
  EXPECT_EQ(most, 2u);
  for (const auto& reader : readers) EXPECT_EQ(reader->cursor(), kChanges);
}

TEST_F(CallerWatch, ARefreshTellsWhatWasNeverPublished) {
  const auto reader = Open(std::nullopt);
  store_.Commit(JobNamed("a"));
  store_.broken = true;
  hub_.Refresh("caller");
  hub_.Refresh("stranger");
  EXPECT_TRUE(reader->seen().empty());
  store_.broken = false;
  hub_.Sweep();
  EXPECT_EQ(reader->seen(), Numbers(1, 1));
}

TEST_F(CallerWatch, TheFeedLeavesMemoryAfterItsLastReader) {
  auto reader = Open(std::nullopt);
  hub_.Close(*reader->feed(), reader.get());
  EXPECT_EQ(hub_.watcher_count(), 0u);
  EXPECT_EQ(hub_.WatchedCallers().size(), 1u);
  clock_.Advance(WatchHub::kIdleFeed);
  hub_.Sweep();
  EXPECT_TRUE(hub_.WatchedCallers().empty());
  // The next one begins anew.
  CommitAndPublish(JobNamed("a"));
  EXPECT_EQ(Open(At(0))->seen(), Numbers(1, 1));
}

TEST(CallerWatchThreads, ManyWritersManyReadersNoGapNoRepeat) {
  TransitionsOnly store;
  ManualClock clock(absl::UnixEpoch());
  RecordingLog log;
  constexpr int kWriters = 3;
  constexpr int kEach = 400;
  auto fan_out = std::make_unique<ThreadWorker>("fan_out", 1, 1 << 20);
  auto store_worker = std::make_unique<ThreadWorker>("store", 3, 1 << 20);
  WatchHub hub({.store = store,
                .store_worker = *store_worker,
                .fan_out_worker = *fan_out,
                .clock = clock,
                .log = log,
                .encoder = nullptr});
  std::vector<std::shared_ptr<Reader>> readers;
  for (int i = 0; i < 10; ++i) readers.push_back(std::make_shared<Reader>(hub));
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      const Job job = JobNamed(std::to_string(writer));
      for (int i = 0; i < kEach; ++i) hub.Publish(job, store.Commit(job));
    });
  }
  threads.emplace_back([&] {
    for (const auto& reader : readers) {
      hub.WatchCaller("caller", At(0), reader,
                      Reply<CallerWatchStart>([reader](absl::StatusOr<CallerWatchStart> start) {
                        ASSERT_TRUE(start.ok()) << start.status();
                        reader->Attach(*start);
                      }));
    }
  });
  for (std::thread& thread : threads) thread.join();
  const auto all = Numbers(1, kWriters * kEach);
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  for (const auto& reader : readers) {
    while (reader->cursor() < kWriters * kEach && absl::Now() < limit) std::this_thread::yield();
    EXPECT_EQ(reader->seen(), all);
  }
  store_worker.reset();
  fan_out.reset();
}

}  // namespace
}  // namespace lumaedit
