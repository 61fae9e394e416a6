// Owner of coroutines: none runs without one (a coroutine nobody waits for outlives what it uses).
//
// Lives on the I/O thread; every method is called there. Destroyed only when empty: cancel, join.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <list>
#include <string>

#include "absl/functional/any_invocable.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/signal.h"

namespace lumaedit {

class TaskGroup {
 public:
  // Called with the name of a task that ended by an exception: a bug, after it was logged.
  using OnBug = absl::AnyInvocable<void(const std::string& name)>;

  TaskGroup(const boost::asio::any_io_executor& executor, Clock& clock, Log& log);

  void Spawn(std::string name, boost::asio::awaitable<void> task, OnBug on_bug = nullptr);

  // Asks every task to end: what waits in Asio ends with operation_aborted.
  void CancelAll();

  // Until no task is left or `timeout` has passed; true: none is left.
  boost::asio::awaitable<bool> Join(absl::Duration timeout);

  std::size_t size() const { return tasks_.size(); }

 private:
  struct Task {
    std::string name;
    boost::asio::cancellation_signal cancel;
    OnBug on_bug;
  };

  void OnEnd(std::list<Task>::iterator task, const std::exception_ptr& error);

  const boost::asio::any_io_executor executor_;
  Clock& clock_;
  Log& log_;
  std::list<Task> tasks_;
  Signal ended_;
};

// A place taken in a count, given back when the coroutine that holds it ends, however it ends.
class CountedPlace {
 public:
  explicit CountedPlace(int& count) : count_(count) { ++count_; }
  ~CountedPlace() { --count_; }
  CountedPlace(const CountedPlace&) = delete;
  CountedPlace& operator=(const CountedPlace&) = delete;

 private:
  int& count_;
};

}  // namespace lumaedit
