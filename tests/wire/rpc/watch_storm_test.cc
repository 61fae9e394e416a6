// Many watchers at once: reading, resuming, cancelling at random, never reading. Whoever reads sees
// every transition once and in order; nobody is left behind in the server.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/wire/rpc/gateway.h"

namespace lumaedit {
namespace {

constexpr int kWatchers = 200;
constexpr int kJobs = 4;
constexpr int kConnections = 8;
constexpr int kRefusals = 30;  // each is two transitions: SUBMITTING and back to PENDING
constexpr int kLast = 1 + 2 * kRefusals + 4;

// Watches to the final transition over any number of breaks of its own making.
void ReadAll(v1::EditService::Stub& stub, const std::string& id, unsigned seed,
             std::atomic<int>& wrong) {
  std::mt19937 random(seed);
  int last = 0;
  for (;;) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(100));
    v1::WatchJobRequest request;
    request.set_job_id(id);
    request.set_after_sequence(last);
    auto reader = stub.WatchJob(&context, request);
    // One in three breaks off after a few messages, and comes back.
    int reads_left = random() % 3 == 0 ? static_cast<int>(random() % 6) : 1'000'000;
    v1::WatchJobResponse message;
    for (;;) {
      if (reads_left-- == 0) context.TryCancel();
      if (!reader->Read(&message)) break;
      if (message.has_caught_up() && message.caught_up().job().sequence() != last) ++wrong;
      if (!message.has_transition()) continue;
      if (message.transition().sequence() != last + 1) ++wrong;
      last = message.transition().sequence();
    }
    const grpc::Status status = reader->Finish();
    if (status.ok()) {
      if (last != kLast) ++wrong;
      return;
    }
    if (status.error_code() != grpc::StatusCode::CANCELLED) {
      ++wrong;
      ADD_FAILURE() << status.error_message();
      return;
    }
  }
}

TEST(WatchStorm, NobodyMissesATransitionAndNoStreamIsLeft) {
  GatewayOptions options;
  options.rpc.tick = absl::Milliseconds(20);
  options.rpc.usual_heartbeat = absl::Milliseconds(50);
  Gateway gateway(options);
  ASSERT_TRUE(gateway.started().ok()) << gateway.started();
  std::vector<std::string> ids;
  for (int i = 0; i < kJobs; ++i) ids.push_back(gateway.SubmitOne());
  std::vector<std::unique_ptr<v1::EditService::Stub>> stubs;
  for (int i = 0; i < kConnections; ++i) stubs.push_back(gateway.Stub());

  std::atomic<int> wrong = 0;
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWatchers; ++i) {
    v1::EditService::Stub& stub = *stubs[static_cast<std::size_t>(i % kConnections)];
    const std::string& id = ids[static_cast<std::size_t>(i % kJobs)];
    if (i % 10 == 0) {
      // Never reads; goes away at the end.
      threads.emplace_back([&] {
        grpc::ClientContext context;
        v1::WatchJobRequest request;
        request.set_job_id(id);
        auto reader = stub.WatchJob(&context, request);
        Eventually([&] { return over.load(); }, absl::Seconds(100));
        context.TryCancel();
        v1::WatchJobResponse message;
        while (reader->Read(&message)) {
        }
        reader->Finish();
      });
    } else {
      threads.emplace_back([&, i] { ReadAll(stub, id, static_cast<unsigned>(i), wrong); });
    }
  }

  for (int i = 0; i < kRefusals; ++i) {
    for (const std::string& id : ids) gateway.Move(id, JobState::kSubmitting);
    for (const std::string& id : ids) gateway.Move(id, JobState::kPending);
  }
  for (JobState state :
       {JobState::kSubmitting, JobState::kQueued, JobState::kProcessing, JobState::kSucceeded}) {
    for (const std::string& id : ids) gateway.Move(id, state);
  }
  for (int i = 0; i < kWatchers; ++i) {
    if (i % 10 != 0) threads[static_cast<std::size_t>(i)].join();
  }
  over = true;
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(Eventually(
      [&] { return gateway.service().open_streams() == 0 && gateway.hub().watcher_count() == 0; }));
}

}  // namespace
}  // namespace lumaedit
