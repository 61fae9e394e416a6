#include "server/rpc/stream_registry.h"

#include <chrono>
#include <utility>

namespace lumaedit {

StreamRegistry::StreamRegistry(Settings settings, Clock& clock, Random& random)
    : settings_(settings), clock_(clock), random_(random), ticker_([this] { Run(); }) {}

StreamRegistry::~StreamRegistry() {
  {
    MutexLock lock(mutex_);
    // Streams may still need their tick to be cut, so the ticker goes last.
    while (!streams_.empty()) changed_.wait(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  ticker_.join();
}

absl::Status StreamRegistry::Add(const std::shared_ptr<WatchedStream>& stream,
                                 const std::string& connection) {
  bool draining = false;
  {
    MutexLock lock(mutex_);
    draining = draining_;
    if (!draining) {
      int& count = by_connection_[connection];
      if (count >= settings_.streams_per_connection) {
        return MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kTooManyWatches,
                         "this connection has too many watches; open another connection");
      }
      ++count;
      streams_.emplace(stream.get(), Entry{stream, connection});
    }
  }
  return draining ? ComeBack(ErrorReason::kDraining, "this process is stopping") : absl::OkStatus();
}

void StreamRegistry::Remove(const WatchedStream* stream) {
  MutexLock lock(mutex_);
  const auto it = streams_.find(stream);
  if (it == streams_.end()) return;
  const auto count = by_connection_.find(it->second.connection);
  if (--count->second == 0) by_connection_.erase(count);
  streams_.erase(it);
  // Notified under the lock: the destructor may free this object as soon as it sees no stream left.
  if (streams_.empty()) changed_.notify_all();
}

void StreamRegistry::Drain() {
  {
    MutexLock lock(mutex_);
    draining_ = true;
  }
  for (const auto& stream : All()) {
    stream->End(ComeBack(ErrorReason::kDraining, "this process is stopping"));
  }
}

absl::Status StreamRegistry::ComeBack(ErrorReason reason, std::string_view message) {
  ErrorDetail detail;
  detail.reason = reason;
  detail.retry_after = settings_.retry_spread * random_.Uniform();
  return MakeError(absl::StatusCode::kUnavailable, std::move(detail), message);
}

std::size_t StreamRegistry::size() const {
  MutexLock lock(mutex_);
  return streams_.size();
}

std::vector<std::shared_ptr<WatchedStream>> StreamRegistry::All() const {
  std::vector<std::shared_ptr<WatchedStream>> all;
  MutexLock lock(mutex_);
  all.reserve(streams_.size());
  for (const auto& [key, entry] : streams_) {
    if (auto stream = entry.stream.lock()) all.push_back(std::move(stream));
  }
  return all;
}

void StreamRegistry::Run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(settings_.tick);
      while (!stopping_) {
        if (changed_.wait_until(mutex_, end) == std::cv_status::timeout) break;
      }
      if (stopping_) return;
    }
    const absl::Duration now = clock_.Uptime();
    for (const auto& stream : All()) stream->Tick(now);
  }
}

}  // namespace lumaedit
