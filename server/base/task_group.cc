#include "server/base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <utility>

namespace lumaedit {

namespace asio = boost::asio;

TaskGroup::TaskGroup(const asio::any_io_executor& executor, Clock& clock, Log& log)
    : executor_(executor), clock_(clock), log_(log), ended_(executor, clock) {}

void TaskGroup::Spawn(std::string name, asio::awaitable<void> task, OnBug on_bug) {
  tasks_.emplace_front();
  const auto it = tasks_.begin();
  it->name = std::move(name);
  it->on_bug = std::move(on_bug);
  asio::co_spawn(
      executor_, std::move(task),
      asio::bind_cancellation_slot(it->cancel.slot(),
                                   [this, it](std::exception_ptr error) { OnEnd(it, error); }));
}

void TaskGroup::CancelAll() {
  // A task that ends at once leaves the list: step first, emit then.
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    auto& cancel = it->cancel;
    ++it;
    cancel.emit(asio::cancellation_type::terminal);
  }
}

asio::awaitable<bool> TaskGroup::Join(absl::Duration timeout) {
  const absl::Duration until = clock_.Uptime() + timeout;
  while (!tasks_.empty() && clock_.Uptime() < until) {
    co_await ended_.WaitFor(until - clock_.Uptime());
  }
  co_return tasks_.empty();
}

void TaskGroup::OnEnd(std::list<Task>::iterator task, const std::exception_ptr& error) {
  OnBug on_bug = std::move(task->on_bug);
  const std::string name = std::move(task->name);
  tasks_.erase(task);
  ended_.Notify();
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    if (e.code() == asio::error::operation_aborted) return;
    log_.Error("task_failed", {{"task", name}, {"error", e.what()}});
  } catch (const std::exception& e) {
    log_.Error("task_failed", {{"task", name}, {"error", e.what()}});
  }
  if (on_bug) on_bug(name);
}

}  // namespace lumaedit
