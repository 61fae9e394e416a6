// SqliteJobStore under kills, full disks and broken disks.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/contract/fault_vfs.h"
#include "tests/contract/sqlite_fixture.h"

namespace lumaedit {
namespace {

class SqliteDurabilityTest : public SqliteFixture {
 protected:
  // Inserts from four threads until it is killed, and tells each acknowledged id.
  [[noreturn]] void InsertForever(int pipe_end) {
    auto store = TryOpen();
    if (!store.ok()) _exit(1);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (;;) {
          const NewJob fresh = Fresh();
          if (!(*store)->Insert(fresh).ok()) _exit(2);
          // One write of less than PIPE_BUF is never mixed with another.
          if (write(pipe_end, fresh.job.id.data(), 36) != 36) _exit(3);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    _exit(0);
  }
};

TEST_F(SqliteDurabilityTest, WhatWasAcknowledgedOutlivesAKill) {
  std::set<std::string> acknowledged;
  for (int round = 0; round < 10; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) InsertForever(ends[1]);
    close(ends[1]);
    char id[36];
    int heard = 0;
    while (read(ends[0], id, sizeof(id)) == static_cast<ssize_t>(sizeof(id))) {
      acknowledged.insert(std::string(id, sizeof(id)));
      if (++heard == 40 + 37 * round) kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);

    const auto store = Opened();
    ASSERT_TRUE(store);
    for (const std::string& known : acknowledged) {
      ASSERT_TRUE(store->Get("caller-a", known).ok()) << known;
    }
    const auto changes = store->Changes("caller-a", 0, 1'000'000);
    ASSERT_TRUE(changes.ok());
    EXPECT_GE(changes->size(), acknowledged.size());
    EXPECT_EQ(static_cast<std::int64_t>(changes->size()), *store->NewestChange("caller-a"));
    EXPECT_EQ(store->GetBudget("caller-a", absl::UnixEpoch())->reserved_usd_micros,
              static_cast<std::int64_t>(changes->size()) * 720'000);
  }
}

TEST_F(SqliteDurabilityTest, AFullDiskIsSaidAndHealsByItself) {
  // In a process of its own: the limit holds for all its files.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    auto store = TryOpen();
    if (!store.ok()) _exit(1);
    const rlimit small{400'000, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &small);
    std::vector<std::string> stored;
    absl::Status status;
    while (status.ok() && stored.size() < 100'000) {
      const NewJob fresh = Fresh();
      status = (*store)->Insert(fresh).status();
      if (status.ok()) stored.push_back(fresh.job.id);
    }
    if (!HasReason(status, ErrorReason::kStorageFull)) _exit(2);
    if (DetailOf(status).retry_after == absl::InfiniteDuration()) _exit(3);
    if (!(*store)->Get("caller-a", stored.front()).ok()) _exit(4);
    const rlimit large{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &large);
    const NewJob fresh = Fresh();
    if (!(*store)->Insert(fresh).ok()) _exit(5);
    stored.push_back(fresh.job.id);
    store->reset();
    store = TryOpen();
    if (!store.ok()) _exit(6);
    for (const std::string& id : stored) {
      if (!(*store)->Get("caller-a", id).ok()) _exit(7);
    }
    _exit((*store)->NewestChange("caller-a").value() == static_cast<std::int64_t>(stored.size())
              ? 0
              : 8);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
}

// Fails each change of a file in turn, once and for good, and compares what was acknowledged with
// what is there afterwards.
TEST_F(SqliteDurabilityTest, NoFailureOfTheDiskLosesOrHalvesAnything) {
  const std::string vfs = FaultVfs::Name();
  FaultVfs::Heal();
  auto store = Opened(vfs);
  ASSERT_TRUE(store);
  std::set<std::string> acknowledged;
  for (const auto kind : {FaultVfs::Kind::kBroken, FaultVfs::Kind::kFull}) {
    for (const int more : {0, 1'000'000}) {
      for (int first = 1; first <= 12; ++first) {
        FaultVfs::FailAt(first, more, kind);
        for (int i = 0; i < 3; ++i) {
          const NewJob fresh = Fresh();
          const auto result = store->Insert(fresh);
          if (result.ok()) {
            acknowledged.insert(fresh.job.id);
            continue;
          }
          EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
          EXPECT_TRUE(HasReason(result.status(), kind == FaultVfs::Kind::kFull
                                                     ? ErrorReason::kStorageFull
                                                     : ErrorReason::kStoreUnavailable))
              << result.status();
        }
        FaultVfs::Heal();
        const NewJob fresh = Fresh();
        const auto healed = store->Insert(fresh);
        ASSERT_TRUE(healed.ok()) << healed.status() << " after failing change " << first;
        acknowledged.insert(fresh.job.id);
        if (first % 4 == 0) {
          store.reset();
          store = Opened(vfs);
          ASSERT_TRUE(store);
        }
        for (const std::string& id : acknowledged) {
          ASSERT_TRUE(store->Get("caller-a", id).ok()) << "after failing change " << first;
        }
        const auto changes = store->Changes("caller-a", 0, 1'000'000);
        ASSERT_TRUE(changes.ok());
        EXPECT_EQ(static_cast<std::int64_t>(changes->size()), *store->NewestChange("caller-a"));
      }
    }
  }
  EXPECT_GT(acknowledged.size(), 48U);
}

TEST_F(SqliteDurabilityTest, AFailedCommitFailsEveryoneInItsBatch) {
  auto store = Opened(FaultVfs::Name());
  ASSERT_TRUE(store);
  FaultVfs::FailAt(1, 1'000'000, FaultVfs::Kind::kFull);
  std::vector<std::thread> threads;
  std::atomic<int> full{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      if (HasReason(store->Insert(Fresh()).status(), ErrorReason::kStorageFull)) ++full;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(full, 8);
  FaultVfs::Heal();
  EXPECT_EQ(*store->NewestChange("caller-a"), 0);
}

TEST_F(SqliteDurabilityTest, TheLeaseIsRenewedOnAFullDisk) {
  auto store = Opened(FaultVfs::Name());
  const auto lease = store->Acquire("owner");
  ASSERT_TRUE(lease.ok());
  FaultVfs::FailAt(1, 1'000'000, FaultVfs::Kind::kFull);
  EXPECT_TRUE(store->Renew(*lease).ok());
  FaultVfs::Heal();
}

}  // namespace
}  // namespace lumaedit
