// bench-watch-client: many watchers of one job, over a number of connections. Says when each
// transition has reached them all, and the times at which it had reached half, 99 of 100, and the
// last of them.
//
// Times are taken on gRPC's threads when a message has been parsed; main waits and prints.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "lumaedit/v1/edit_service.grpc.pb.h"

namespace lumaedit::bench {
namespace {

std::int64_t Now() {
  timespec time = {};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// One transition is out at a time, so one table is enough.
class Arrivals {
 public:
  explicit Arrivals(std::size_t watchers) : times_(watchers) {}

  void CaughtUp() { Count(caught_up_); }
  void Beat() { Count(beats_); }
  void Came(int sequence) {
    times_[place_.fetch_add(1) % times_.size()] = Now();
    sequence_ = sequence;
    Count(came_);
  }

  // Prints each full round as it comes.
  void Print() {
    for (std::size_t caught_up = 0, beats = 0, came = 0;;) {
      {
        absl::MutexLock lock(&mutex_);
        const auto full = [&] {
          return caught_up_ / times_.size() > caught_up || beats_ / times_.size() > beats ||
                 came_ / times_.size() > came;
        };
        mutex_.Await(absl::Condition(&full));
      }
      if (caught_up_ / times_.size() > caught_up) {
        ++caught_up;
        std::cout << "ready" << std::endl;
      }
      if (beats_ / times_.size() > beats) {
        ++beats;
        std::cout << "beat" << std::endl;
      }
      if (came_ / times_.size() > came) {
        ++came;
        std::sort(times_.begin(), times_.end());
        const auto at = [&](double part) {
          return times_[static_cast<std::size_t>(part * static_cast<double>(times_.size() - 1))];
        };
        std::cout << "came " << sequence_ << " " << at(0.5) << " " << at(0.99) << " " << at(1)
                  << std::endl;
      }
    }
  }

 private:
  // The mutex is touched once a round, not once a message.
  void Count(std::atomic<std::size_t>& count) {
    if ((count.fetch_add(1) + 1) % times_.size() == 0) absl::MutexLock lock(&mutex_);
  }

  std::vector<std::int64_t> times_;
  std::atomic<std::size_t> place_ = 0;
  std::atomic<std::size_t> caught_up_ = 0;
  std::atomic<std::size_t> beats_ = 0;
  std::atomic<std::size_t> came_ = 0;
  std::atomic<int> sequence_ = 0;
  absl::Mutex mutex_;
};

class Watcher final : public grpc::ClientReadReactor<v1::WatchJobResponse> {
 public:
  Watcher(v1::EditService::Stub& stub, const v1::WatchJobRequest& request, Arrivals& arrivals)
      : arrivals_(arrivals) {
    stub.async()->WatchJob(&context_, &request, this);
    StartRead(&message_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    switch (message_.message_case()) {
      case v1::WatchJobResponse::kTransition:
        arrivals_.Came(message_.transition().sequence());
        break;
      case v1::WatchJobResponse::kCaughtUp:
        arrivals_.CaughtUp();
        break;
      default:
        arrivals_.Beat();
        break;
    }
    StartRead(&message_);
  }
  void OnDone(const grpc::Status& status) override {
    std::cerr << "a watch ended: " << status.error_code() << " " << status.error_message() << "\n";
    std::_Exit(1);
  }

 private:
  grpc::ClientContext context_;
  Arrivals& arrivals_;
  v1::WatchJobResponse message_;
};

int Run(int argc, char** argv) {
  std::string address;
  std::vector<std::string> jobs;
  int connections = 1;
  int watchers = 1;
  int heartbeat = 60;
  int after = 1;
  CLI::App app("bench-watch-client");
  app.add_option("--address", address)->required();
  app.add_option("--job", jobs, "one or more; watchers take them in turn")->required();
  app.add_option("--connections", connections);
  app.add_option("--watchers", watchers, "in all");
  app.add_option("--heartbeat", heartbeat, "seconds");
  app.add_option("--after", after, "the last sequence that is known");
  CLI11_PARSE(app, argc, argv);

  // Its end is the end of this program.
  std::thread([] {
    while (std::cin.get() != EOF) {
    }
    std::_Exit(0);
  }).detach();

  Arrivals arrivals(static_cast<std::size_t>(watchers));
  std::vector<std::unique_ptr<v1::EditService::Stub>> stubs;
  for (int n = 0; n < connections; ++n) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stubs.push_back(v1::EditService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments)));
  }
  std::vector<v1::WatchJobRequest> requests(jobs.size());
  for (std::size_t n = 0; n < jobs.size(); ++n) {
    requests[n].set_job_id(jobs[n]);
    requests[n].set_after_sequence(after);
    requests[n].mutable_heartbeat_interval()->set_seconds(heartbeat);
  }
  std::vector<std::unique_ptr<Watcher>> all;
  for (int n = 0; n < watchers; ++n) {
    const auto at = static_cast<std::size_t>(n);
    all.push_back(std::make_unique<Watcher>(*stubs[at % stubs.size()],
                                            requests[at % requests.size()], arrivals));
  }
  arrivals.Print();
  return 0;
}

}  // namespace
}  // namespace lumaedit::bench

int main(int argc, char** argv) { return lumaedit::bench::Run(argc, argv); }
