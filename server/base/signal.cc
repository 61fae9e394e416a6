#include "server/base/signal.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace lumaedit {

namespace asio = boost::asio;

Signal::Signal(const asio::any_io_executor& executor, Clock& clock)
    : clock_(clock), timer_(executor) {}

Signal::~Signal() { clock_.Disarm(timer_); }

asio::awaitable<bool> Signal::WaitFor(absl::Duration timeout) {
  const absl::Duration until = clock_.Uptime() + timeout;
  while (!nudged_) {
    const absl::Duration left = until - clock_.Uptime();
    if (left <= absl::ZeroDuration()) break;
    clock_.Arm(timer_, left);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  clock_.Disarm(timer_);
  co_return std::exchange(nudged_, false);
}

void Signal::Notify() {
  nudged_ = true;
  timer_.cancel();
}

}  // namespace lumaedit
