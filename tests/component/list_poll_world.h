// The poller alone against a long list, and how often it asked about whom.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/job/poller.h"
#include "tests/fakes/listed_upstream.h"
#include "tests/fakes/stepped_world.h"

namespace lumaedit {

// Goes on between two looks, as time does. Who does nothing but look at it is stopped.
class RestlessClock final : public Clock {
 public:
  explicit RestlessClock(ManualClock& clock) : clock_(clock) {}
  absl::Time Now() const override { return clock_.Now(); }
  absl::Duration Uptime() const override {
    if (++looks_ == kMostLooks) throw std::runtime_error("too many looks at the clock");
    return clock_.Uptime() + absl::Nanoseconds(looks_);
  }
  void Arm(boost::asio::steady_timer& timer, absl::Duration delay) override {
    clock_.Arm(timer, delay);
  }
  void Disarm(boost::asio::steady_timer& timer) override { clock_.Disarm(timer); }

 private:
  static constexpr std::int64_t kMostLooks = 100'000;

  ManualClock& clock_;
  mutable std::int64_t looks_ = 0;
};

class ListPoll : public testing::Test {
 protected:
  ~ListPoll() override { Stop(); }

  // The poller with what is in the list; a restart has just been.
  void Start() {
    EngineDeps deps = world_.engine().context().deps();
    context_.emplace(EngineDeps{.store = deps.store,
                                .sources = deps.sources,
                                .upstream = list_,
                                .hub = deps.hub,
                                .board = deps.board,
                                .store_worker = deps.store_worker,
                                .clock = *clock_,
                                .random = deps.random,
                                .log = deps.log,
                                .executor = deps.executor},
                     settings_);
    context_->SetRouter([](const Job&) {});
    poller_.emplace(*context_);
    for (const auto& [id, age] : live_) poller_->Add(JobOf(id, age), /*at_once=*/true);
    begun_ = world_.clock.Uptime();
    context_->tasks().Spawn("poller", poller_->Run());
  }

  void Stop() {
    if (!poller_) return;
    context_->Drain();
    poller_->Wake();
    world_.RunUntil([&] { return context_->tasks().size() == 0; }, absl::Minutes(1));
    poller_.reset();
    context_.reset();
  }

  // Another list, and nobody running yet.
  void Clear() {
    Stop();
    list_.records.clear();
    list_.on_list = nullptr;
    list_.Forget();
    live_.clear();
  }

  Job JobOf(const std::string& id, absl::Duration age) {
    Job job;
    job.id = absl::StrCat("job of ", id);
    job.state = JobState::kProcessing;
    job.upstream_id = id;
    job.upstream_account = "account-1";
    job.upstream_status = "processing";
    job.accept_time = world_.clock.Now() - age;
    return job;
  }

  // At the far end of the list: a running job's record, or somebody else's.
  void AddJob(absl::Duration age = absl::Minutes(5), std::int64_t bytes = 1000) {
    const std::string id = absl::StrCat("r", list_.records.size());
    list_.records.push_back({.id = id, .bytes = bytes});
    live_.push_back({id, age});
  }
  void AddStrangers(int count, std::int64_t bytes = 1000) {
    for (int i = 0; i < count; ++i) {
      list_.records.push_back(
          {.id = absl::StrCat("s", list_.records.size()), .word = "success", .bytes = bytes});
    }
  }
  void Accept() {
    const std::string id = absl::StrCat("new", ++accepted_);
    list_.records.push_front({.id = id});
    live_.push_back({id, absl::ZeroDuration()});
    poller_->Add(JobOf(id, absl::ZeroDuration()), /*at_once=*/false);
  }

  std::size_t Told() const {
    return static_cast<std::size_t>(std::count_if(live_.begin(), live_.end(), [&](const auto& job) {
      return list_.told.contains(job.first);
    }));
  }
  // Until the state of every running job was told; how long that took.
  absl::Duration RunToAllTold(absl::Duration limit = absl::Minutes(5)) {
    EXPECT_TRUE(world_.RunUntil([&] { return Told() == live_.size(); }, limit)) << Told();
    return world_.clock.Uptime() - begun_;
  }
  // The longest time for which a running job was not asked about, since `from`.
  absl::Duration LongestGap(absl::Duration from) {
    absl::Duration longest = absl::ZeroDuration();
    const absl::Duration end = world_.clock.Uptime();
    for (const auto& [id, age] : live_) {
      absl::Duration last = from;
      for (const absl::Duration time : list_.told[id]) {
        if (time > from) longest = std::max(longest, time - std::exchange(last, time));
      }
      longest = std::max(longest, end - last);
    }
    return longest;
  }
  void ExpectTheCap(double a_second = 20) const {
    const auto window = static_cast<std::size_t>(a_second) + 1;
    std::vector<absl::Duration> times;
    for (const auto& request : list_.requests) times.push_back(request.time);
    std::sort(times.begin(), times.end());
    for (std::size_t i = 0; i + window < times.size(); ++i) {
      ASSERT_GE(times[i + window] - times[i], absl::Seconds(1));
    }
  }

  SteppedWorld world_;
  RestlessClock restless_{world_.clock};
  Clock* clock_ = &world_.clock;  // the poller's
  ListedUpstream list_{world_.io.get_executor(), world_.clock};
  EngineSettings settings_;
  std::vector<std::pair<std::string, absl::Duration>> live_;  // upstream id, age at the start
  std::optional<EngineContext> context_;
  std::optional<Poller> poller_;
  absl::Duration begun_;
  int accepted_ = 0;
};

}  // namespace lumaedit
