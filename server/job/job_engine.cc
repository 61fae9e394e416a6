#include "server/job/job_engine.h"

#include <boost/asio/post.hpp>
#include <cstdlib>
#include <utility>
#include <vector>

#include "server/job/attempt_rules.h"
#include "server/job/state_rules.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

constexpr int kTakeOverPage = 500;
constexpr absl::Duration kHouseInterval = absl::Seconds(10);
constexpr absl::Duration kSourceInterval = absl::Hours(1);
constexpr absl::Duration kStopPatience = absl::Seconds(10);
constexpr char kPausedSetting[] = "dispatch_paused";

}  // namespace

JobEngine::JobEngine(EngineDeps deps, EngineSettings settings, std::string owner)
    : context_(std::move(deps), settings),
      owner_(std::move(owner)),
      dispatcher_(context_),
      poller_(context_),
      reconciler_(context_),
      late_outcomes_(context_, poller_),
      clock_trust_(context_),
      retention_(context_, clock_trust_),
      restore_check_(context_, reconciler_, [this] { dispatcher_.Wake(); }),
      calls_(context_, reconciler_, poller_),
      lease_wake_(context_.deps().executor, context_.clock()),
      house_wake_(context_.deps().executor, context_.clock()) {
  context_.SetRouter([this](const Job& job) { Route(job, /*at_once=*/false); });
}

JobEngine::~JobEngine() = default;

asio::awaitable<absl::Status> JobEngine::Start() {
  if (absl::Status read = co_await ReadPause(); !read.ok()) co_return read;
  if (absl::Status read = co_await restore_check_.Load(); !read.ok()) co_return read;
  if (absl::Status read = co_await clock_trust_.Load(); !read.ok()) co_return read;
  if (absl::Status read = co_await context_.accounts().Load(); !read.ok()) co_return read;
  if (absl::Status taken = co_await TakeOver(); !taken.ok()) co_return taken;
  // A loop that ends by a bug would leave jobs undriven behind a healthy face. A new process takes
  // them over as after any crash.
  const auto give_up = [](const std::string&) { std::abort(); };
  context_.tasks().Spawn("dispatcher", dispatcher_.Run(), give_up);
  context_.tasks().Spawn("poller", poller_.Run(), give_up);
  context_.tasks().Spawn("reconciler", reconciler_.Run(), give_up);
  context_.tasks().Spawn("late_outcomes", late_outcomes_.Run(), give_up);
  if (context_.restored()) {
    context_.tasks().Spawn("restore_check", restore_check_.Run(), give_up);
  }
  context_.tasks().Spawn("retention", retention_.Run(), give_up);
  context_.tasks().Spawn("lease", KeepLease(), give_up);
  context_.tasks().Spawn("house", KeepHouse(), give_up);
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> JobEngine::ReadPause() {
  const auto paused = co_await Offload(context_.deps().store_worker, [this] {
    return context_.deps().store.GetSetting(kPausedSetting);
  });
  if (!paused.ok() && !absl::IsNotFound(paused.status())) co_return paused.status();
  context_.SetDispatchPaused(paused.ok() && *paused == "1");
  if (context_.paused_by_operator())
    context_.log().Warning("dispatch_paused", {{"by", "operator"}});
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> JobEngine::PauseDispatch() {
  context_.SetDispatchPaused(true);
  context_.log().Warning("dispatch_paused", {{"by", "operator"}});
  co_return co_await Offload(context_.deps().store_worker, [this] {
    return context_.deps().store.PutSetting(kPausedSetting, "1");
  });
}

asio::awaitable<absl::Status> JobEngine::ResumeDispatch() {
  const absl::Status written = co_await Offload(context_.deps().store_worker, [this] {
    return context_.deps().store.PutSetting(kPausedSetting, "0");
  });
  if (!written.ok()) co_return written;
  context_.SetDispatchPaused(false);
  context_.log().Warning("dispatch_resumed", {{"by", "operator"}});
  restore_check_.Acknowledge();
  dispatcher_.Wake();
  co_return absl::OkStatus();
}

EngineStatus JobEngine::Status() const {
  return {.paused = context_.paused_by_operator(),
          .restored = context_.restored(),
          .restore = restore_check_.Status(),
          .draining = context_.draining(),
          .epoch = context_.lease().epoch,
          .lease_good_for = context_.LeaseLeft(),
          .dispatch = dispatcher_.Status(),
          .polled = poller_.live(),
          .looked_for = reconciler_.waiting()};
}

asio::awaitable<absl::Status> JobEngine::TakeOver() {
  const absl::Duration asked = context_.clock().Uptime();
  auto lease = co_await Offload(context_.deps().store_worker,
                                [this] { return context_.deps().store.Acquire(owner_); });
  if (!lease.ok()) co_return lease.status();
  context_.SetLease(*lease, asked);
  int jobs = 0;
  for (std::string after;;) {
    auto page = co_await Offload(context_.deps().store_worker, [this, &lease, &after] {
      return context_.deps().store.LiveJobs(*lease, after, kTakeOverPage);
    });
    if (!page.ok()) co_return page.status();
    for (const LiveJob& live : *page) context_.tasks().Spawn("recover", Recover(live.id));
    jobs += static_cast<int>(page->size());
    if (page->size() < static_cast<std::size_t>(kTakeOverPage)) break;
    after = page->back().id;
  }
  if (absl::Status loaded = co_await late_outcomes_.Load(); !loaded.ok()) co_return loaded;
  context_.log().Info("jobs_taken_over", {{"jobs", jobs}, {"epoch", context_.lease().epoch}});
  co_return absl::OkStatus();
}

asio::awaitable<void> JobEngine::Recover(std::string job_id) {
  auto view = co_await context_.View(job_id);
  if (!view.ok()) {
    context_.log().Error("job_not_recovered",
                         {{"job", job_id}, {"error", std::string(view.status().message())}});
    co_return;
  }
  if (view->job.state != JobState::kSubmitting) {
    context_.Noticed(view->job);
    Route(view->job, /*at_once=*/true);
    co_return;
  }
  // Its process is gone: what it learned decides, else the job is in doubt.
  FactInput input;
  input.now = context_.clock().Now();
  input.most_refusals = context_.settings().dispatch.most_refusals;
  (co_await context_.Update(job_id,
                            [input](const JobView& now) -> absl::StatusOr<std::optional<Decision>> {
                              if (auto decision = DecideOnFacts(now, input)) return decision;
                              return DecideUnconfirmed(now);
                            }))
      .IgnoreError();
}

void JobEngine::Route(const Job& job, bool at_once) {
  // What a store thread tells may be older than what the engine did meanwhile.
  const auto known = routed_.try_emplace(job.id, job.sequence).first;
  if (job.sequence < known->second) return;
  known->second = job.sequence;
  if (IsFinal(job.state)) routed_.erase(known);
  late_outcomes_.Note(job);
  if (job.state == JobState::kPending) {
    dispatcher_.Add(job);
  } else {
    dispatcher_.Remove(job.id);
  }
  if (IsRunning(job.state)) {
    poller_.Add(job, at_once);
  } else {
    poller_.Remove(job.id);
  }
  if (job.state == JobState::kUnconfirmed || job.state == JobState::kHeld) {
    reconciler_.Add(job, at_once);
  } else {
    reconciler_.Remove(job.id);
  }
}

void JobEngine::OnSubmitted(const Job& job) {
  asio::post(context_.deps().executor, [this, job] { Route(job, false); });
}

void JobEngine::OnChanged(const Job& job) { OnSubmitted(job); }

asio::awaitable<void> JobEngine::KeepLease() {
  while (!context_.draining()) {
    co_await lease_wake_.WaitFor(context_.settings().lease.renew_every);
    if (context_.draining()) break;
    const absl::Duration asked = context_.clock().Uptime();
    const Lease held = context_.lease();
    auto lease = co_await Offload(context_.deps().store_worker,
                                  [this, &held] { return context_.deps().store.Renew(held); });
    if (lease.ok()) {
      context_.SetLease(*lease, asked);
    } else if (absl::IsAborted(lease.status())) {
      context_.log().Error("lease_lost", {{"error", std::string(lease.status().message())}});
      context_.LoseLease();
      if (absl::Status taken = co_await TakeOver(); !taken.ok()) {
        context_.log().Error("lease_not_taken", {{"error", std::string(taken.message())}});
      }
    } else {
      context_.log().Error("lease_not_renewed", {{"error", std::string(lease.status().message())}});
    }
  }
}

asio::awaitable<void> JobEngine::KeepHouse() {
  absl::Duration sources_due = context_.clock().Uptime();
  while (!context_.draining()) {
    co_await house_wake_.WaitFor(kHouseInterval);
    context_.deps().hub.Sweep();
    if (context_.clock().Uptime() < sources_due) continue;
    sources_due = context_.clock().Uptime() + kSourceInterval;
    bool all_kept = true;
    for (std::string after;;) {
      const Lease lease = context_.lease();
      auto page = co_await Offload(context_.deps().store_worker, [this, &lease, &after] {
        return context_.deps().store.LiveJobs(lease, after, kTakeOverPage);
      });
      all_kept = all_kept && page.ok();
      if (!page.ok()) break;
      for (const LiveJob& live : *page) {
        if (IsRunning(live.state)) continue;
        const bool kept = co_await KeepSource(live.id);
        all_kept = all_kept && kept;
      }
      if (page->size() < static_cast<std::size_t>(kTakeOverPage)) break;
      after = page->back().id;
    }
    // Nothing is removed in a round that could not put off what is still needed.
    if (!all_kept) continue;
    const bool may_remove = co_await clock_trust_.MayRemove();
    if (!may_remove) continue;
    auto removed = co_await Offload(context_.deps().store_worker, [this] {
      return context_.deps().sources.RemoveExpired(context_.clock().Now());
    });
    if (removed.ok() && *removed > 0) {
      context_.log().Info("sources_removed", {{"count", *removed}});
    }
  }
}

asio::awaitable<bool> JobEngine::KeepSource(std::string job_id) {
  auto view = co_await context_.View(job_id);
  if (!view.ok()) co_return absl::IsNotFound(view.status());
  const auto* stored = std::get_if<StoredSource>(&view->job.edit.source);
  if (stored == nullptr) co_return true;
  const absl::Status kept = co_await Offload(context_.deps().store_worker, [&] {
    return context_.deps().sources.KeepUntil(
        view->job.caller, stored->source_id,
        context_.clock().Now() + context_.settings().house.source_kept);
  });
  if (!kept.ok()) {
    context_.log().Error("source_not_kept",
                         {{"job", job_id}, {"error", std::string(kept.message())}});
  }
  // What is gone already cannot be kept, and must not keep the rest from being removed.
  co_return kept.ok() || absl::IsNotFound(kept);
}

asio::awaitable<void> JobEngine::Drain(absl::Duration patience) {
  context_.Drain();
  dispatcher_.Wake();
  poller_.Wake();
  reconciler_.Wake();
  late_outcomes_.Wake();
  retention_.Wake();
  restore_check_.Wake();
  lease_wake_.Notify();
  house_wake_.Notify();
  // What is sealed gets its answer if it comes soon; the rest is left to the next owner.
  co_await context_.tasks().Join(patience);
  co_await calls_.End();
}

asio::awaitable<void> JobEngine::Stop() {
  co_await calls_.End();
  context_.tasks().CancelAll();
  if (!co_await context_.tasks().Join(kStopPatience)) {
    context_.log().Error("tasks_left", {{"count", static_cast<int>(context_.tasks().size())}});
  }
  const Lease lease = context_.lease();
  const absl::Status released = co_await Offload(context_.deps().store_worker, [this, &lease] {
    return context_.deps().store.Release(lease);
  });
  if (!released.ok()) {
    context_.log().Warning("lease_not_released", {{"error", std::string(released.message())}});
  }
}

}  // namespace lumaedit
