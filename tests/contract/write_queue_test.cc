// Group commit: what shares a commit, and what a failure touches.
#include "server/store/write_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/sqlite_fixture.h"

namespace lumaedit {
namespace {

class WriteQueueTest : public testing::Test {
 protected:
  WriteQueueTest() {
    auto connection =
        SqliteConnection::Open(folder_.path() + "/test.db", SqliteConnection::Mode::kCreate, "");
    EXPECT_TRUE(connection.ok()) << connection.status();
    EXPECT_TRUE((*connection)
                    ->Execute("PRAGMA journal_mode = WAL;"
                              "CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
                    .ok());
    queue_ = std::make_unique<WriteQueue>(*std::move(connection));
  }

  static absl::Status Put(SqliteConnection& connection, int number) {
    return connection.Prepare("INSERT INTO numbers VALUES (?)").Bind(number).Run();
  }

  std::int64_t Count() {
    std::int64_t count = -1;
    EXPECT_TRUE(queue_
                    ->Run([&](SqliteConnection& c) {
                      const auto counted = c.QueryInt("SELECT count(*) FROM numbers");
                      if (counted.ok()) count = *counted;
                      return counted.status();
                    })
                    .ok());
    return count;
  }

  TempFolder folder_;
  std::unique_ptr<WriteQueue> queue_;
};

TEST_F(WriteQueueTest, OperationsThatWaitedShareACommit) {
  constexpr int kThreads = 40;
  const std::int64_t before = queue_->commits();
  std::atomic<int> started{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++started;
      EXPECT_TRUE(queue_
                      ->Run([&](SqliteConnection& c) {
                        // The first leader stays busy until everyone is about to queue.
                        while (started < kThreads) std::this_thread::yield();
                        return Put(c, t);
                      })
                      .ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(queue_->commits() - before, kThreads);
  EXPECT_EQ(Count(), kThreads);
}

TEST_F(WriteQueueTest, AFailureOrAnExceptionSpoilsNobodyElse) {
  constexpr int kThreads = 30;
  std::vector<std::thread> threads;
  std::atomic<int> started{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++started;
      const absl::Status status = queue_->Run([&](SqliteConnection& c) -> absl::Status {
        while (started < kThreads) std::this_thread::yield();
        if (absl::Status put = Put(c, t); !put.ok()) return put;
        if (t % 3 == 1) return absl::AbortedError("changed its mind");
        if (t % 3 == 2) throw std::runtime_error("a bug");
        return absl::OkStatus();
      });
      const absl::StatusCode expected[] = {absl::StatusCode::kOk, absl::StatusCode::kAborted,
                                           absl::StatusCode::kInternal};
      EXPECT_EQ(status.code(), expected[t % 3]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Count(), kThreads / 3);
}

TEST_F(WriteQueueTest, AUniqueIndexUndoesItsOwnOperationOnly) {
  EXPECT_TRUE(queue_->Run([](SqliteConnection& c) { return Put(c, 1); }).ok());
  const absl::Status twice = queue_->Run([](SqliteConnection& c) -> absl::Status {
    if (absl::Status put = Put(c, 2); !put.ok()) return put;
    return Put(c, 1);
  });
  EXPECT_TRUE(absl::IsAlreadyExists(twice));
  EXPECT_EQ(Count(), 1);
}

TEST_F(SqliteFixture, ManyWritersOfTheStoreShareCommits) {
  constexpr int kThreads = 16;
  constexpr int kEach = 50;
  const auto store = Opened();
  const std::int64_t before = counters_->commits;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(store->Insert(Fresh()).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counters_->operations, kThreads * kEach);
  EXPECT_LT(counters_->commits - before, kThreads * kEach / 2);
  EXPECT_EQ(*store->NewestChange("caller-a"), kThreads * kEach);
}

}  // namespace
}  // namespace lumaedit
