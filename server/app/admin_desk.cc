#include "server/app/admin_desk.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/job/budget.h"
#include "server/job/error.h"

namespace lumaedit {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

// A person reads them; the counts beside them are whole.
constexpr int kMostHeld = 1000;

AdminAnswer Text(int status, std::string text) {
  return {status, "text/plain; charset=utf-8", std::move(text)};
}

AdminAnswer Json(int status, const json::object& object) {
  return {status, "application/json", json::serialize(object) + "\n"};
}

json::object Held(const HeldJob& job) {
  json::array candidates;
  for (const std::string& id : job.candidate_upstream_ids) candidates.emplace_back(id);
  return {{"job_id", job.id},
          {"caller", job.caller},
          {"since", absl::FormatTime(absl::RFC3339_sec, job.since, absl::UTCTimeZone())},
          {"min_usd_micros", job.amount.min_usd_micros},
          {"max_usd_micros", job.amount.max_usd_micros},
          {"candidate_upstream_ids", std::move(candidates)}};
}

json::object Dispatch(const DispatchStatus& status) {
  const bool held_back = status.held_back > absl::ZeroDuration();
  return {{"waiting", status.waiting},
          {"posts_in_flight", status.in_flight},
          {"held_back_by", status.refused ? "refusal"
                           : held_back    ? "doubt"
                                          : ""},
          {"held_back_seconds", absl::ToDoubleSeconds(status.held_back)},
          {"one_at_a_time", status.one_at_a_time}};
}

json::object Today(const Budget& budget, std::optional<std::int64_t> limit) {
  json::object today = {{"reserved_usd_micros", budget.reserved_usd_micros},
                        {"incurred_usd_micros", budget.incurred_usd_micros},
                        {"uncertain_usd_micros", budget.uncertain_usd_micros}};
  if (limit) today["limit_usd_micros"] = *limit;
  return today;
}

void AddRestore(const EngineStatus& engine, json::object& answer) {
  answer["restored"] = engine.restored;
  if (!engine.restored) return;
  answer["restore_waits_for"] = std::string(RestoreWaitName(engine.restore.waits_for));
  answer["restore_count"] = engine.restore.count;
}

}  // namespace

AdminAnswer AdminDesk::Answer(const AdminRequest& request) {
  const std::string call = absl::StrCat(request.method, " ", request.path);
  if (call == "GET /healthz") return Text(200, "ok\n");
  if (call == "GET /readyz") return ready_ ? Text(200, "ready\n") : Text(503, "not ready\n");
  if (call == "GET /metrics") return Metrics();
  if (call == "GET /status") return Status();
  if (call == "POST /pause") return SetPaused(true);
  if (call == "POST /resume") return SetPaused(false);
  if (call == "POST /adopt") return Adopt(request.body);
  return Text(404, "GET /metrics /healthz /readyz /status, POST /pause /resume /adopt\n");
}

std::optional<EngineStatus> AdminDesk::AskEngine() {
  // What is asked may answer after nobody waits any more.
  auto answer = std::make_shared<std::promise<EngineStatus>>();
  auto future = answer->get_future();
  asio::post(deps_.io, [&engine = deps_.engine, answer] { answer->set_value(engine.Status()); });
  if (future.wait_for(absl::ToChronoNanoseconds(deps_.patience)) != std::future_status::ready) {
    return std::nullopt;
  }
  return future.get();
}

template <typename T, typename Work>
absl::StatusOr<T> AdminDesk::OnStore(Work work) {
  auto answer = std::make_shared<std::promise<absl::StatusOr<T>>>();
  auto future = answer->get_future();
  const bool taken = deps_.store_worker.TryPost(
      [answer, work = std::move(work)]() mutable { answer->set_value(work()); });
  if (!taken) return absl::UnavailableError("the store's queue is full");
  if (future.wait_for(absl::ToChronoNanoseconds(deps_.patience)) != std::future_status::ready) {
    return absl::DeadlineExceededError("the store did not answer in time");
  }
  return future.get();
}

absl::StatusOr<AdminDesk::StoreAnswer> AdminDesk::AskStore(int most_held) {
  const absl::Time day = PeriodOf(BudgetWindow::kDay, deps_.clock.Now()).start;
  return OnStore<StoreAnswer>(
      [&store = deps_.store, most_held, day]() -> absl::StatusOr<StoreAnswer> {
        auto overview = store.Overview(most_held);
        if (!overview.ok()) return overview.status();
        const auto today = store.GetBudget("", day);
        if (!today.ok()) return today.status();
        return StoreAnswer{*std::move(overview), *today};
      });
}

AdminAnswer AdminDesk::Metrics() {
  MutexLock lock(scraping_);
  Snapshot snapshot;
  snapshot.engine = AskEngine();
  if (auto store = AskStore(0); store.ok()) {
    snapshot.store = std::move(store->overview);
    snapshot.today = store->today;
  }
  snapshot.daily_limit_usd_micros = deps_.daily_limit_usd_micros;
  snapshot.watchers = deps_.hub.watcher_count();
  snapshot.feeds = deps_.hub.feed_count();
  snapshot.queues = deps_.queues();
  snapshot.streams_ended = deps_.streams_ended();
  snapshot.refusals = deps_.refusals();
  return {200, "text/plain; version=0.0.4; charset=utf-8", deps_.metrics.Text(snapshot)};
}

AdminAnswer AdminDesk::Status() {
  const std::optional<EngineStatus> engine = AskEngine();
  const absl::StatusOr<StoreAnswer> store = AskStore(kMostHeld);
  json::object status;
  status["ready"] = ready_.load();
  if (engine) {
    status["paused"] = engine->paused;
    AddRestore(*engine, status);
    status["draining"] = engine->draining;
    status["lease"] =
        json::object{{"epoch", engine->epoch},
                     {"good_for_seconds", absl::ToDoubleSeconds(engine->lease_good_for)}};
    status["dispatch"] = Dispatch(engine->dispatch);
    status["polled"] = engine->polled;
    status["looked_for"] = engine->looked_for;
  }
  if (store.ok()) {
    json::object jobs;
    const StoreOverview& overview = store->overview;
    for (const auto& [state, count] : overview.live) jobs[std::string(JobStateName(state))] = count;
    status["jobs"] = std::move(jobs);
    status["today"] = Today(store->today, deps_.daily_limit_usd_micros);
    status["held_usd_micros"] = overview.held_usd_micros;
    status["uncertain_usd_micros"] = overview.uncertain_usd_micros;
    json::array held;
    for (const HeldJob& job : overview.held) held.emplace_back(Held(job));
    status["held"] = std::move(held);
  } else {
    status["store_error"] = std::string(store.status().message());
  }
  return Json(engine && store.ok() ? 200 : 503, status);
}

AdminAnswer AdminDesk::SetPaused(bool paused) {
  // Not by ?: in a coroutine; these are two.
  auto changed = paused ? asio::co_spawn(deps_.io, deps_.engine.PauseDispatch(), asio::use_future)
                        : asio::co_spawn(deps_.io, deps_.engine.ResumeDispatch(), asio::use_future);
  if (changed.wait_for(absl::ToChronoNanoseconds(deps_.patience)) != std::future_status::ready) {
    return Json(
        503, {{"error", "the store did not answer in time; look with luma-edit-gateway status"}});
  }
  const absl::Status status = changed.get();
  if (!status.ok()) {
    return Json(503, {{"error", std::string(status.message())},
                      {"paused", deps_.engine.dispatch_paused()}});
  }
  json::object answer = {{"paused", paused}};
  if (const std::optional<EngineStatus> engine = AskEngine()) AddRestore(*engine, answer);
  return Json(200, answer);
}

AdminAnswer AdminDesk::Adopt(const std::string& body) {
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);
  const json::object* fields = error ? nullptr : parsed.if_object();
  const auto text = [&](const char* name) {
    const json::value* value = fields == nullptr ? nullptr : fields->if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
  };
  ResolveRequest request;
  request.job_id = text("job_id");
  request.resolution = {.adopt_upstream_id = text("upstream_id"), .actor = "admin", .any_id = true};
  if (request.job_id.empty() || request.resolution.adopt_upstream_id.empty()) {
    return Json(400, {{"error", "job_id and upstream_id are needed"}});
  }
  const auto view = OnStore<JobView>(
      [&store = deps_.store, job_id = request.job_id] { return store.View(job_id); });
  if (!view.ok()) {
    return Json(absl::IsNotFound(view.status()) ? 404 : 503,
                {{"error", std::string(view.status().message())}});
  }
  request.caller = view->job.caller;
  request.resolution.expected_sequence = view->job.sequence;

  auto answer = std::make_shared<std::promise<absl::StatusOr<JobSnapshot>>>();
  auto future = answer->get_future();
  deps_.engine.calls().Resolve(std::move(request),
                               Reply<JobSnapshot>([answer](absl::StatusOr<JobSnapshot> result) {
                                 answer->set_value(std::move(result));
                               }));
  if (future.wait_for(absl::ToChronoNanoseconds(deps_.upstream_patience)) !=
      std::future_status::ready) {
    return Json(503, {{"error", "the upstream did not answer in time; look at the job"}});
  }
  const absl::StatusOr<JobSnapshot> job = future.get();
  if (!job.ok()) return Json(409, {{"error", std::string(job.status().message())}});
  return Json(200, {{"job_id", job->job.id},
                    {"state", std::string(JobStateName(job->job.state))},
                    {"upstream_id", job->job.upstream_id}});
}

}  // namespace lumaedit
