// Where blocking work runs: threads with a bounded queue, and the way back to a coroutine.
//
// Owned by `app`. Post may be called from any thread. The destructor runs what is queued, then
// joins.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/mutex.h"

namespace lumaedit {

class Worker {
 public:
  using Task = absl::AnyInvocable<void() &&>;
  virtual ~Worker() = default;

  // For work that callers bring: refused (false, the task is destroyed) when the queue is full.
  virtual bool TryPost(Task task) = 0;

  // For work of our own, whose number is bounded elsewhere: always taken, and begun before what
  // callers have brought, so that no flood of calls holds up a commit or a lease.
  virtual void Post(Task task) = 0;
};

class ThreadWorker final : public Worker {
 public:
  ThreadWorker(std::string name, int threads, std::size_t queue_limit);
  ~ThreadWorker() override;

  bool TryPost(Task task) override;
  void Post(Task task) override;

  std::size_t queued() const;  // tasks that no thread has begun

 private:
  void Run();

  const std::size_t queue_limit_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Task> own_ ABSL_GUARDED_BY(mutex_);
  std::deque<Task> brought_ ABSL_GUARDED_BY(mutex_);  // by callers; bounded
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// Runs at once on the calling thread: for tests that step one io_context.
class InlineWorker final : public Worker {
 public:
  bool TryPost(Task task) override;
  void Post(Task task) override;
};

// Runs `work` on `worker` and comes back to the coroutine's own executor with its result.
// `work` must not throw: what it calls answers with a status.
template <typename Work, typename T = std::invoke_result_t<Work&>>
boost::asio::awaitable<T> Offload(Worker& worker, Work work) {
  namespace asio = boost::asio;
  auto executor = co_await asio::this_coro::executor;
  auto result = std::make_shared<std::optional<T>>();
  // Named, and `work` behind a pointer: gcc 12 copies the bytes of a lambda that is a temporary of
  // a co_await expression, which breaks short strings inside it.
  auto kept = std::make_shared<Work>(std::move(work));
  auto initiate = [&worker, executor, result, kept](auto handler) {
    worker.Post([executor, result, kept, handler = std::move(handler)]() mutable {
      result->emplace((*kept)());
      asio::post(executor, std::move(handler));
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(initiate),
                                                                        asio::use_awaitable);
  co_return std::move(**result);
}

}  // namespace lumaedit
