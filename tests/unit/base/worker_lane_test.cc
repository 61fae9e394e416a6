#include "server/base/worker_lane.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <vector>

namespace lumaedit {
namespace {

TEST(WorkerLane, RunsEverythingInItsOrderWithOneTurn) {
  std::vector<int> order;
  std::unique_ptr<WorkerLane> lane;
  {
    ThreadWorker worker("test", 4, 0);
    lane = std::make_unique<WorkerLane>(worker, 1, 1000);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(lane->TryPost([&order, i] { order.push_back(i); }));
    std::promise<void> last;
    lane->Post([&] { last.set_value(); });
    last.get_future().wait();
  }
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

// Tasks that stay until they are let go, and are counted meanwhile.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    ++passed_;
  }
  void AwaitInside(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= count; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int inside() const { return inside_; }
  int passed() const { return passed_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  std::atomic<int> inside_ = 0;
  std::atomic<int> passed_ = 0;
};

TEST(WorkerLane, LeavesTheOtherThreadsToOthers) {
  Gate gate;
  std::unique_ptr<WorkerLane> lane;
  {
    ThreadWorker worker("test", 3, 1000);
    lane = std::make_unique<WorkerLane>(worker, 2, 1000);
    for (int i = 0; i < 50; ++i) lane->Post([&] { gate.Pass(); });
    gate.AwaitInside(2);
    // The third thread is free, though 48 wait.
    std::promise<void> served;
    worker.Post([&] { served.set_value(); });
    served.get_future().wait();
    EXPECT_EQ(gate.inside(), 2);
    gate.Open();
  }
  EXPECT_EQ(gate.passed(), 50);
}

TEST(WorkerLane, RefusesBeyondItsBound) {
  Gate gate;
  std::unique_ptr<WorkerLane> lane;
  {
    ThreadWorker worker("test", 2, 1000);
    lane = std::make_unique<WorkerLane>(worker, 1, 2);
    EXPECT_TRUE(lane->TryPost([&] { gate.Pass(); }));
    gate.AwaitInside(1);
    EXPECT_TRUE(lane->TryPost([&] { gate.Pass(); }));
    EXPECT_TRUE(lane->TryPost([&] { gate.Pass(); }));
    EXPECT_FALSE(lane->TryPost([&] { gate.Pass(); }));
    lane->Post([&] { gate.Pass(); });
    gate.Open();
  }
  EXPECT_EQ(gate.passed(), 4);
}

}  // namespace
}  // namespace lumaedit
