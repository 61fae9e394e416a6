#include "server/base/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <memory>

namespace lumaedit {
namespace {

namespace asio = boost::asio;

// A thread that is busy until it is let go.
class Blocked {
 public:
  explicit Blocked(Worker& worker) {
    worker.Post([state = state_] {
      state->begun.set_value();
      state->go.get_future().wait();
    });
    state_->begun.get_future().wait();
  }
  void Go() { state_->go.set_value(); }

 private:
  struct State {
    std::promise<void> begun;
    std::promise<void> go;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST(ThreadWorker, RefusesBeyondItsBound) {
  std::atomic<int> ran = 0;
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> refused = held;
  {
    ThreadWorker worker("test", 1, 2);
    Blocked blocked(worker);
    EXPECT_TRUE(worker.TryPost([&] { ++ran; }));
    EXPECT_TRUE(worker.TryPost([&] { ++ran; }));
    EXPECT_FALSE(worker.TryPost([&ran, held = std::move(held)] { ran += *held + 100; }));
    EXPECT_TRUE(refused.expired());
    worker.Post([&] { ++ran; });  // our own work is always taken
    blocked.Go();
  }
  EXPECT_EQ(ran, 3);
}

TEST(ThreadWorker, BeginsOurOwnWorkBeforeWhatCallersBrought) {
  std::vector<std::string> order;
  {
    ThreadWorker worker("test", 1, 1000);
    Blocked blocked(worker);
    EXPECT_TRUE(worker.TryPost([&] { order.push_back("call 1"); }));
    EXPECT_TRUE(worker.TryPost([&] { order.push_back("call 2"); }));
    worker.Post([&] { order.push_back("own 1"); });
    worker.Post([&] { order.push_back("own 2"); });
    EXPECT_EQ(worker.queued(), 4u);
    blocked.Go();
  }
  EXPECT_EQ(order, (std::vector<std::string>{"own 1", "own 2", "call 1", "call 2"}));
}

TEST(ThreadWorker, RunsInOrderOnOneThread) {
  std::vector<int> order;
  {
    ThreadWorker worker("a-name-longer-than-the-kernel-keeps", 1, 1000);
    for (int i = 0; i < 100; ++i) worker.Post([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(ThreadWorker, ManyThreadsManyPosters) {
  std::atomic<int> ran = 0;
  {
    ThreadWorker worker("test", 4, 1 << 20);
    std::vector<std::thread> posters;
    for (int p = 0; p < 4; ++p) {
      posters.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) EXPECT_TRUE(worker.TryPost([&] { ++ran; }));
      });
    }
    for (std::thread& poster : posters) poster.join();
  }
  EXPECT_EQ(ran, 4000);
}

TEST(Offload, WorkRunsElsewhereAndTheCoroutineComesBack) {
  asio::io_context io;
  ThreadWorker worker("test", 2, 100);
  const std::thread::id home = std::this_thread::get_id();
  int sum = 0;
  for (int i = 1; i <= 100; ++i) {
    asio::co_spawn(
        io,
        [&, i]() -> asio::awaitable<void> {
          std::thread::id there;
          auto value = co_await Offload(worker, [&] {
            there = std::this_thread::get_id();
            return std::make_unique<int>(i);  // a result that only moves
          });
          EXPECT_NE(there, home);
          EXPECT_EQ(std::this_thread::get_id(), home);
          sum += *value;
        },
        asio::detached);
  }
  io.run();
  EXPECT_EQ(sum, 5050);
}

TEST(Offload, InlineWorkerNeedsNoThread) {
  asio::io_context io;
  InlineWorker worker;
  int value = 0;
  asio::co_spawn(
      io, [&]() -> asio::awaitable<void> { value = co_await Offload(worker, [] { return 42; }); },
      asio::detached);
  io.poll();
  EXPECT_EQ(value, 42);
}

}  // namespace
}  // namespace lumaedit
