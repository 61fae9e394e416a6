// The client library through proxies that break connections, before the real server over the real
// store: whatever is cut, each transition of each job is delivered once and in order.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/job_state.h"
#include "tests/wire/client/cutting_proxy.h"
#include "tests/wire/rpc/gateway.h"

namespace lumaedit::client {
namespace {

using std::chrono::milliseconds;
using ::testing::Ge;

// The product's 15 s of heartbeat to a proxy's 60 s of patience, fifty times as fast; a slowness of
// 50 makes them what they are.
int Slowness() {
  static const int slowness = [] {
    const char* text = std::getenv("LUMAEDIT_PROXY_SLOWNESS");
    return text == nullptr ? 1 : std::clamp(std::atoi(text), 1, 50);
  }();
  return slowness;
}
const absl::Duration kHeartbeat = absl::Milliseconds(300) * Slowness();
const milliseconds kPatience = milliseconds(1200) * Slowness();
const milliseconds kBetweenCuts = milliseconds(100) * Slowness();
const absl::Duration kLimit = absl::Seconds(60) * Slowness();

// What the watchers were told of each job, in its order.
class Seen {
 public:
  void Add(const std::string& job_id, const v1::Transition& transition) {
    const std::lock_guard lock(mutex_);
    sequences_[job_id].push_back(transition.sequence());
    if (IsFinal(transition.state())) ++final_;
  }
  int final_jobs() const {
    const std::lock_guard lock(mutex_);
    return final_;
  }
  std::size_t count(const std::string& job_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = sequences_.find(job_id);
    return found == sequences_.end() ? 0 : found->second.size();
  }
  // 1 … last of each of them, and nothing else.
  void ExpectWhole(const std::vector<std::string>& ids, Gateway& gateway) const {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(sequences_.size(), ids.size());
    for (const std::string& id : ids) {
      std::vector<int> all(static_cast<std::size_t>(gateway.store().View(id)->job.sequence));
      std::iota(all.begin(), all.end(), 1);
      const auto found = sequences_.find(id);
      ASSERT_NE(found, sequences_.end()) << id;
      EXPECT_EQ(found->second, all) << id;
    }
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<int>> sequences_;
  int final_ = 0;
};

class ProxyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    GatewayOptions options;
    options.rpc.tick = absl::Milliseconds(10);
    options.rpc.least_heartbeat = absl::Milliseconds(10);
    options.rpc.retry_spread = absl::Milliseconds(20);
    gateway_ = std::make_unique<Gateway>(options);
    ASSERT_TRUE(gateway_->started().ok()) << gateway_->started();
    proxy_ = std::make_unique<CuttingProxy>(gateway_->server().port());
    all_proxy_ = std::make_unique<CuttingProxy>(gateway_->server().port());
    client_ = Connect(*proxy_);
    all_client_ = Connect(*all_proxy_);
  }

  static std::unique_ptr<Client> Connect(const CuttingProxy& proxy) {
    ClientOptions client;
    client.connection.address = "127.0.0.1:" + std::to_string(proxy.port());
    client.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    auto made = Client::Create(client);
    EXPECT_TRUE(made.ok());
    return std::move(*made);
  }

  void Submit(int count) {
    for (int n = 0; n < count; ++n) ids_.push_back(gateway_->SubmitOne());
  }

  // Two transitions of every job.
  void Cycle() {
    for (const std::string& id : ids_) gateway_->Move(id, JobState::kSubmitting);
    for (const std::string& id : ids_) gateway_->Move(id, JobState::kPending);
  }
  void EndJobs() {
    for (JobState state :
         {JobState::kSubmitting, JobState::kQueued, JobState::kProcessing, JobState::kSucceeded}) {
      for (const std::string& id : ids_) gateway_->Move(id, state);
    }
  }

  template <typename Options>
  Options With(absl::Duration heartbeat) const {
    Options options;
    options.heartbeat_interval = heartbeat;
    options.silence_limit = absl::Seconds(10) * Slowness();
    options.timeout = kLimit;
    options.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    return options;
  }

  // A watch of each job, and one of all; each runs until every job is over. The one of all has a
  // connection of its own: no other stream's bytes keep it open.
  void StartWatches(absl::Duration heartbeat) {
    for (const std::string& id : ids_) {
      running_.push_back(std::async(std::launch::async, [this, id, heartbeat] {
        WatchOptions options = With<WatchOptions>(heartbeat);
        options.on_heartbeat = [this](const v1::Heartbeat&) { ++heartbeats_; };
        const auto end = client_->Watch(
            id, 0,
            [&](const v1::Transition& transition) {
              one_by_one_.Add(id, transition);
              return WatchStep::kGoOn;
            },
            options);
        EXPECT_TRUE(end.ok()) << end.error().ToString();
      }));
    }
    running_.push_back(std::async(std::launch::async, [this, heartbeat] {
      WatchAllOptions options = With<WatchAllOptions>(heartbeat);
      options.known_sequence = [](const v1::Job&) { return 0; };
      const auto end = all_client_->WatchAll(
          [&](const std::string& id, const v1::Transition& transition) {
            all_.Add(id, transition);
            return all_.final_jobs() == static_cast<int>(ids_.size()) ? WatchStep::kStop
                                                                      : WatchStep::kGoOn;
          },
          options);
      EXPECT_TRUE(end.ok()) << end.error().ToString();
    }));
  }

  void AwaitSubscribed() {
    ASSERT_TRUE(Eventually([this] {
      for (const std::string& id : ids_) {
        if (one_by_one_.count(id) == 0 || all_.count(id) == 0) return false;
      }
      return true;
    }));
  }

  void Finish() {
    EndJobs();
    for (auto& watch : running_) watch.get();
    one_by_one_.ExpectWhole(ids_, *gateway_);
    all_.ExpectWhole(ids_, *gateway_);
  }

  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<CuttingProxy> proxy_;
  std::unique_ptr<CuttingProxy> all_proxy_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Client> all_client_;
  std::vector<std::string> ids_;
  Seen one_by_one_;
  Seen all_;
  std::atomic<int> heartbeats_ = 0;
  std::vector<std::future<void>> running_;
};

TEST_F(ProxyTest, HeartbeatsKeepQuietStreamsOpenThroughAProxyThatCutsIdleOnes) {
  Submit(3);
  for (CuttingProxy* proxy : {proxy_.get(), all_proxy_.get()}) proxy->CutIdleAfter(kPatience);
  StartWatches(kHeartbeat);
  AwaitSubscribed();
  // Twice the proxy's patience without a transition.
  const int quiet = 2 * static_cast<int>(kPatience / absl::ToChronoMilliseconds(kHeartbeat));
  ASSERT_TRUE(Eventually([&] { return heartbeats_ >= 3 * quiet; }, kLimit));
  for (CuttingProxy* proxy : {proxy_.get(), all_proxy_.get()}) {
    EXPECT_EQ(proxy->cuts(), 0);
    EXPECT_EQ(proxy->accepted(), 1);
  }
  Finish();
}

TEST_F(ProxyTest, AStreamQuieterThanTheProxysPatienceIsCutAndLosesNothing) {
  Submit(5);
  for (CuttingProxy* proxy : {proxy_.get(), all_proxy_.get()}) proxy->CutIdleAfter(kPatience / 6);
  StartWatches(std::min(absl::Seconds(5) * Slowness(), absl::Minutes(1)));
  AwaitSubscribed();
  for (int round = 0; round < 5; ++round) {
    const int cuts = proxy_->cuts();
    const int all_cuts = all_proxy_->cuts();
    ASSERT_TRUE(
        Eventually([&] { return proxy_->cuts() > cuts && all_proxy_->cuts() > all_cuts; }, kLimit));
    Cycle();
  }
  Finish();
}

TEST_F(ProxyTest, NothingIsLostWhileEverythingIsCutAgainAndAgain) {
  Submit(20);
  StartWatches(kHeartbeat);
  AwaitSubscribed();
  for (CuttingProxy* proxy : {proxy_.get(), all_proxy_.get()}) proxy->CutEvery(kBetweenCuts);
  // Long polls of one of them beside.
  std::vector<int> polled;
  auto waiting = std::async(std::launch::async, [&] {
    WaitOptions options;
    options.poll = absl::Milliseconds(300);
    options.timeout = kLimit;
    options.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    const auto job = client_->Wait(
        ids_[0], 0,
        [&](const v1::Transition& transition) {
          polled.push_back(transition.sequence());
          return WatchStep::kGoOn;
        },
        options);
    EXPECT_TRUE(job.ok()) << job.error().ToString();
  });
  for (int round = 0; proxy_->cuts() < 20 && round < 500 * Slowness(); ++round) Cycle();
  EXPECT_THAT(proxy_->cuts(), Ge(20));
  // On a slow machine hardly a connection would live long enough to tell the end.
  for (CuttingProxy* proxy : {proxy_.get(), all_proxy_.get()}) proxy->CutEvery(10 * kBetweenCuts);
  Finish();
  waiting.get();
  std::vector<int> whole(polled.size());
  std::iota(whole.begin(), whole.end(), 1);
  EXPECT_EQ(polled, whole);
  EXPECT_EQ(static_cast<int>(polled.size()), gateway_->store().View(ids_[0])->job.sequence);
}

// A machine that is switched off, or a NAT that forgets: no FIN, no RST, no answer any more.
TEST(HalfOpenPeerTest, IsFreedWithinTheKeepaliveTimeAndTimeout) {
  GatewayOptions options;
  options.server.keepalive_time = absl::Milliseconds(300);
  options.server.keepalive_timeout = absl::Seconds(2);
  Gateway gateway(options);
  ASSERT_TRUE(gateway.started().ok()) << gateway.started();
  CuttingProxy proxy(gateway.server().port());
  v1::WatchJobRequest request;
  request.set_job_id(gateway.SubmitOne());
  v1::WatchJobResponse message;
  struct Peer {
    std::unique_ptr<v1::EditService::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchJobResponse>> reader;
  };
  Peer gone, alive;
  gone.stub = v1::EditService::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(proxy.port()), grpc::InsecureChannelCredentials()));
  alive.stub = gateway.Stub();
  for (Peer* peer : {&gone, &alive}) {
    peer->reader = peer->stub->WatchJob(&peer->context, request);
    while (peer->reader->Read(&message) && !message.has_caught_up()) {
    }
    ASSERT_TRUE(message.has_caught_up());
  }
  ASSERT_EQ(gateway.service().open_streams(), 2u);
  // Nothing is written meanwhile that could fail.
  proxy.Deafen();
  EXPECT_TRUE(Eventually([&] { return gateway.service().open_streams() == 1; }));
  EXPECT_TRUE(Eventually([&] { return gateway.hub().watcher_count() == 1; }));
  // Whoever answers stays, however quiet.
  gateway.Move(request.job_id(), JobState::kCancelled);
  ASSERT_TRUE(alive.reader->Read(&message));
  EXPECT_EQ(message.transition().sequence(), 2);
  EXPECT_FALSE(alive.reader->Read(&message));
  EXPECT_TRUE(alive.reader->Finish().ok());
  gone.context.TryCancel();
  while (gone.reader->Read(&message)) {
  }
  EXPECT_FALSE(gone.reader->Finish().ok());
}

}  // namespace
}  // namespace lumaedit::client
