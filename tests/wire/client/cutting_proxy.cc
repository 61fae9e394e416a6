#include "tests/wire/client/cutting_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace lumaedit::client {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

CuttingProxy::CuttingProxy(int target_port) : target_port_(target_port), random_(1) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  listen(listener_, 64);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  wake_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { Run(); });
}

CuttingProxy::~CuttingProxy() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  Wake();
  thread_.join();
  for (const Pair& pair : pairs_) Reset(pair);
  close(listener_);
  close(wake_);
}

void CuttingProxy::CutAfterBytes(std::int64_t least, std::int64_t most) {
  const std::lock_guard lock(mutex_);
  least_ = least;
  most_ = most;
}

void CuttingProxy::CutIdleAfter(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    idle_ = limit;
  }
  Wake();
}

void CuttingProxy::CutEvery(std::chrono::milliseconds interval) {
  {
    const std::lock_guard lock(mutex_);
    interval_ = interval;
    next_round_ = Clock::now() + interval;
  }
  Wake();
}

void CuttingProxy::CutAll() {
  {
    const std::lock_guard lock(mutex_);
    cut_all_ = true;
  }
  Wake();
}

void CuttingProxy::Deafen() {
  std::unique_lock lock(mutex_);
  deafen_ = true;
  Wake();
  deafened_.wait(lock, [this] { return !deafen_; });
}

int CuttingProxy::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

int CuttingProxy::cuts() const {
  const std::lock_guard lock(mutex_);
  return cuts_;
}

int CuttingProxy::UntilNextCut() const {
  const std::lock_guard lock(mutex_);
  Clock::time_point next = Clock::time_point::max();
  if (interval_.count() > 0) next = next_round_;
  if (idle_.count() > 0) {
    for (const Pair& pair : pairs_) next = std::min(next, pair.heard + idle_);
  }
  if (next == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

bool CuttingProxy::IsDue(const Pair& pair, bool cut_round) const {
  const std::lock_guard lock(mutex_);
  return cut_round || (idle_.count() > 0 && Clock::now() - pair.heard >= idle_);
}

void CuttingProxy::Wake() { eventfd_write(wake_, 1); }

void CuttingProxy::Reset(const Pair& pair) {
  const linger at_once = {1, 0};  // close sends RST, not FIN
  for (const int side : {pair.client, pair.server}) {
    setsockopt(side, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(side);
  }
}

void CuttingProxy::Accept() {
  Pair pair;
  pair.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (pair.client < 0) return;
  pair.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in target = Loopback(target_port_);
  if (connect(pair.server, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0) {
    Reset(pair);
    return;
  }
  pair.heard = Clock::now();
  const std::lock_guard lock(mutex_);
  ++accepted_;
  if (most_ > 0) {
    pair.bytes_left = std::uniform_int_distribution<std::int64_t>(least_, most_)(random_);
  }
  pairs_.push_back(pair);
}

bool CuttingProxy::Forward(int from, int to, std::int64_t* bytes_left) {
  char buffer[4096];
  ssize_t size = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  bool cut = false;
  if (bytes_left != nullptr && *bytes_left >= 0) {
    cut = size >= *bytes_left;
    size = std::min<ssize_t>(size, *bytes_left);
    *bytes_left -= size;
  }
  for (ssize_t sent = 0; sent < size;) {
    const ssize_t n = send(to, buffer + sent, static_cast<std::size_t>(size - sent), MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += n;
  }
  return !cut;
}

void CuttingProxy::Run() {
  for (;;) {
    std::vector<pollfd> ready = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      // A negative descriptor is skipped.
      ready.push_back({pair.deaf ? -1 : pair.client, POLLIN, 0});
      ready.push_back({pair.deaf ? -1 : pair.server, POLLIN, 0});
    }
    if (poll(ready.data(), ready.size(), UntilNextCut()) < 0) continue;
    std::vector<Pair> kept;
    bool cut_all = false;
    if (ready[1].revents != 0) {
      eventfd_t count = 0;
      eventfd_read(wake_, &count);
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      cut_all = std::exchange(cut_all_, false);
      if (std::exchange(deafen_, false)) {
        for (Pair& pair : pairs_) pair.deaf = true;
        deafened_.notify_all();
      }
    }
    bool cut_round = false;
    {
      const std::lock_guard lock(mutex_);
      cut_round = interval_.count() > 0 && Clock::now() >= next_round_;
      if (cut_round) next_round_ = Clock::now() + interval_;
    }
    for (std::size_t at = 0; at < pairs_.size(); ++at) {
      Pair& pair = pairs_[at];
      bool alive = !cut_all;
      const bool spoke = ready[2 + 2 * at].revents != 0 || ready[3 + 2 * at].revents != 0;
      if (spoke && !pair.deaf) pair.heard = Clock::now();
      if (alive && IsDue(pair, cut_round)) {
        alive = false;
        const std::lock_guard lock(mutex_);
        ++cuts_;
      }
      if (alive && !pair.deaf) {
        if (ready[2 + 2 * at].revents != 0) alive = Forward(pair.client, pair.server, nullptr);
        if (alive && ready[3 + 2 * at].revents != 0) {
          alive = Forward(pair.server, pair.client, &pair.bytes_left);
        }
      }
      if (alive) {
        kept.push_back(pair);
      } else {
        Reset(pair);
      }
    }
    pairs_ = std::move(kept);
    if (ready[0].revents != 0) Accept();
  }
}

}  // namespace lumaedit::client
