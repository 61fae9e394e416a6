#include "tests/fakes/stepped_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job/state_rules.h"
#include "server/store/sqlite_job_store.h"

namespace lumaedit {

namespace asio = boost::asio;

void ReadingWatcher::Attach(std::shared_ptr<JobFeed> feed) {
  feed_ = std::move(feed);
  Wake();
}

void ReadingWatcher::Wake() {
  if (!feed_) return;
  while (const auto entry = feed_->Next(cursor_)) {
    cursor_ = entry->transition.sequence;
    seen_.push_back(entry->transition);
  }
}

SteppedWorld::SteppedWorld(WorldOptions options)
    : settings(options.settings),
      clock(options.start),
      random(options.seed),
      metrics(options.metrics == nullptr ? NoMetrics() : *options.metrics),
      upstream(io.get_executor(), clock),
      metered(upstream, clock, metrics),
      budget_(options.budget),
      vfs_(options.vfs),
      data_folder_(options.data_folder.empty() ? folder.path() + "/data" : options.data_folder) {
  if (options.start_engine) Start();
}

SteppedWorld::~SteppedWorld() {
  if (engine_) Stop();
}

absl::Status SteppedWorld::Open() {
  auto opened = OpenSqliteJobStore({.data_dir = data_folder_,
                                    .clock = clock,
                                    .random = random,
                                    .log = log,
                                    .read_connections = 1,
                                    .vfs = vfs_,
                                    .counters = nullptr,
                                    .metrics = metrics});
  if (!opened.ok()) return opened.status();
  store_ = *std::move(opened);
  return absl::OkStatus();
}

void SteppedWorld::Start() {
  const absl::Status started = TryStart();
  if (started.ok()) return;
  ADD_FAILURE() << started;
  std::abort();
}

absl::Status SteppedWorld::TryStart() {
  if (absl::Status opened = Open(); !opened.ok()) return opened;
  hub_ = std::make_unique<WatchHub>(WatchHub::Deps{.store = *store_,
                                                   .store_worker = worker,
                                                   .fan_out_worker = worker,
                                                   .clock = clock,
                                                   .log = log,
                                                   .encoder = nullptr,
                                                   .metrics = metrics});
  service_ = std::make_unique<JobService>(JobService::Deps{.store = *store_,
                                                           .sources = sources,
                                                           .hub = *hub_,
                                                           .board = board,
                                                           .store_worker = worker,
                                                           .measurer = measurer,
                                                           .clock = clock,
                                                           .random = random,
                                                           .log = log},
                                          budget_, settings.retention);
  engine_ = std::make_unique<JobEngine>(EngineDeps{.store = *store_,
                                                   .sources = sources,
                                                   .upstream = metered,
                                                   .previous_upstream = previous,
                                                   .hub = *hub_,
                                                   .board = board,
                                                   .store_worker = worker,
                                                   .clock = clock,
                                                   .random = random,
                                                   .log = log,
                                                   .executor = io.get_executor(),
                                                   .metrics = metrics},
                                        settings, absl::StrCat("owner-", ++starts_));
  service_->SetListener(engine_.get());
  std::optional<absl::Status> started;
  asio::co_spawn(
      io, [&]() -> asio::awaitable<void> { started = co_await engine_->Start(); }, asio::detached);
  RunUntil([&] { return started.has_value(); }, absl::Minutes(1));
  const absl::Status result = started.value_or(absl::DeadlineExceededError("the start hangs"));
  if (!result.ok()) Stop();
  return result;
}

void SteppedWorld::Stop() {
  bool stopped = false;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        co_await engine_->Stop();
        stopped = true;
      },
      asio::detached);
  RunUntil([&] { return stopped; }, absl::Minutes(1));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(engine_->context().tasks().size(), 0u);
  Settle();
  service_->SetListener(nullptr);
  engine_.reset();
  service_.reset();
  hub_.reset();
  store_.reset();
}

void SteppedWorld::Restart() {
  Stop();
  Start();
}

void SteppedWorld::ShutDown(absl::Duration patience) {
  bool drained = false;
  service_->Drain();
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        co_await engine_->Drain(patience);
        drained = true;
      },
      asio::detached);
  EXPECT_TRUE(RunUntil([&] { return drained; }, patience + absl::Seconds(1)));
  Stop();
}

void SteppedWorld::Settle() {
  io.restart();
  io.poll();
}

bool SteppedWorld::RunUntil(const std::function<bool()>& condition, absl::Duration limit) {
  const absl::Duration end = clock.Uptime() + limit;
  for (;;) {
    Settle();
    if (condition()) return true;
    const absl::Duration left = end - clock.Uptime();
    if (left <= absl::ZeroDuration()) return false;
    clock.Advance(std::min(left, clock.NextDue().value_or(left)));
  }
}

void SteppedWorld::RunFor(absl::Duration time) {
  RunUntil([] { return false; }, time);
}

SubmitRequest SteppedWorld::Request(const std::string& prompt, const std::string& caller) {
  SubmitRequest request;
  request.caller = caller;
  request.request_id = random.Uuid();
  request.edit.prompt = prompt;
  request.edit.source = GenerationSource{"generation-1"};
  request.options.declared_source_duration = absl::Seconds(8);
  return request;
}

std::string SteppedWorld::Submit(const std::string& prompt, const std::string& caller) {
  return Submit(Request(prompt, caller));
}

std::string SteppedWorld::Submit(SubmitRequest request) {
  std::string job_id;
  service_->Submit(std::move(request), Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
                     ASSERT_TRUE(answer.ok()) << answer.status();
                     job_id = answer->job.id;
                   }));
  return job_id;
}

CancelResult SteppedWorld::Cancel(const std::string& job_id, const std::string& caller) {
  CancelResult result = CancelResult::kNone;
  service_->Cancel(caller, job_id, "tester",
                   Reply<CancelAnswer>([&](absl::StatusOr<CancelAnswer> answer) {
                     ASSERT_TRUE(answer.ok()) << answer.status();
                     result = answer->result;
                   }));
  return result;
}

std::shared_ptr<ReadingWatcher> SteppedWorld::Watch(const std::string& job_id, int after,
                                                    const std::string& caller) {
  auto watcher = std::make_shared<ReadingWatcher>(after);
  service_->Watch(caller, job_id, after, watcher,
                  Reply<WatchStart>([&](absl::StatusOr<WatchStart> answer) {
                    ASSERT_TRUE(answer.ok()) << answer.status();
                    watcher->Attach(answer->feed);
                  }));
  return watcher;
}

JobView SteppedWorld::View(const std::string& job_id) {
  auto view = store_->View(job_id);
  EXPECT_TRUE(view.ok()) << view.status();
  return view.ok() ? *std::move(view) : JobView{};
}

Job SteppedWorld::Get(const std::string& job_id) { return View(job_id).job; }

std::vector<Transition> SteppedWorld::Transitions(const std::string& job_id) {
  std::vector<Transition> all;
  const std::string caller = Get(job_id).caller;
  for (;;) {
    const int after = all.empty() ? 0 : all.back().sequence;
    auto page = store_->Transitions(caller, job_id, after, 100);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok() || page->empty()) return all;
    all.insert(all.end(), page->begin(), page->end());
  }
}

std::vector<JobState> SteppedWorld::Path(const std::string& job_id) {
  std::vector<JobState> path;
  for (const Transition& transition : Transitions(job_id)) {
    EXPECT_EQ(transition.sequence, static_cast<int>(path.size()) + 1);
    if (path.empty()) {
      EXPECT_FALSE(transition.previous_state.has_value());
    } else {
      EXPECT_EQ(transition.previous_state, path.back());
      EXPECT_TRUE(MayMove(path.back(), transition.state))
          << JobStateName(path.back()) << " -> " << JobStateName(transition.state);
    }
    path.push_back(transition.state);
  }
  EXPECT_FALSE(path.empty());
  EXPECT_EQ(Get(job_id).sequence, static_cast<int>(path.size()));
  return path;
}

bool SteppedWorld::RunToState(const std::string& job_id, JobState state, absl::Duration limit) {
  return RunUntil([&] { return State(job_id) == state; }, limit);
}

bool SteppedWorld::RunToEnd(const std::string& job_id, absl::Duration limit) {
  return RunUntil([&] { return IsFinal(State(job_id)); }, limit);
}

}  // namespace lumaedit
