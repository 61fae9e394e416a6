#include "server/rpc/stream_registry.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

constexpr double kAgeSpread = 0.1;
constexpr char kStopping[] = "this process is stopping";

absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

StreamRegistry::StreamRegistry(Settings settings, Clock& clock, Random& random)
    : settings_(std::move(settings)),
      clock_(clock),
      random_(random),
      counts_(settings_.limits.size()),
      ticker_([this] { Run(); }) {}

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
                                 const std::vector<std::string>& owners) {
  bool draining = false;
  {
    MutexLock lock(mutex_);
    draining = draining_;
    if (!draining && streams_.size() < static_cast<std::size_t>(settings_.most_streams)) {
      for (std::size_t i = 0; i < counts_.size(); ++i) {
        const auto count = counts_[i].find(owners[i]);
        if (count != counts_[i].end() && count->second >= settings_.limits[i].most) {
          return AtLimit(settings_.limits[i]);
        }
      }
      Entry entry{stream, {}};
      for (std::size_t i = 0; i < counts_.size(); ++i) {
        auto& count = *counts_[i].try_emplace(owners[i], 0).first;
        ++count.second;
        entry.owners.push_back(&count);
      }
      streams_.emplace(stream.get(), std::move(entry));
      return absl::OkStatus();
    }
  }
  return draining ? ComeBack(ErrorReason::kDraining, kStopping)
                  : ComeBack(ErrorReason::kOverloaded, TooMany());
}

absl::Status StreamRegistry::AtLimit(const Limit& limit) const {
  ErrorDetail detail;
  detail.reason = settings_.at_limit;
  if (detail.reason == ErrorReason::kOverloaded) detail.retry_after = absl::Seconds(1);
  return MakeError(absl::StatusCode::kResourceExhausted, std::move(detail),
                   absl::StrCat("this ", AbslView(limit.owner), " has ", limit.most, " ",
                                AbslView(settings_.kind), ", as many as one may have; ",
                                AbslView(limit.advice)));
}

std::string StreamRegistry::TooMany() const {
  return absl::StrCat("the gateway has as many ", AbslView(settings_.kind), " as it takes");
}

void StreamRegistry::Remove(const WatchedStream* stream) {
  MutexLock lock(mutex_);
  const auto it = streams_.find(stream);
  if (it == streams_.end()) return;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    auto& count = *it->second.owners[i];
    if (--count.second == 0) counts_[i].erase(counts_[i].find(count.first));
  }
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
    stream->End(ComeBack(ErrorReason::kDraining, kStopping));
  }
}

absl::Status StreamRegistry::ComeBack(ErrorReason reason, std::string_view message) {
  ErrorDetail detail;
  detail.reason = reason;
  detail.retry_after = settings_.retry_spread * random_.Uniform();
  return MakeError(absl::StatusCode::kUnavailable, std::move(detail), message);
}

absl::Duration StreamRegistry::SpreadAge(absl::Duration usual) {
  return usual * (1.0 - kAgeSpread + 2.0 * kAgeSpread * random_.Uniform());
}

absl::Status StreamRegistry::EndOf(const absl::Status& status) {
  const ErrorReason reason = DetailOf(status).reason;
  if (reason == ErrorReason::kOverloaded) {
    return ComeBack(reason, "too many calls are waiting for the store");
  }
  // A reply that was dropped.
  if (absl::IsUnavailable(status) && reason == ErrorReason::kUnspecified) {
    return ComeBack(ErrorReason::kDraining, kStopping);
  }
  return status;
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
