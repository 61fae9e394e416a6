#include "server/app/prometheus_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "server/job/upstream.h"

namespace lumaedit {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

constexpr JobState kStates[] = {JobState::kPending,   JobState::kSubmitting, JobState::kUnconfirmed,
                                JobState::kHeld,      JobState::kQueued,     JobState::kProcessing,
                                JobState::kSucceeded, JobState::kFailed,     JobState::kCancelled,
                                JobState::kExpired};

constexpr std::pair<FactKind, const char*> kAnswers[] = {
    {FactKind::kAccepted, "accepted"},
    {FactKind::kNotAccepted, "not_accepted"},
    {FactKind::kEditRefused, "edit_refused"},
    {FactKind::kEveryoneRefused, "everyone_refused"},
    {FactKind::kRefusedInWords, "refused_in_words"},
    {FactKind::kUnclear, "unclear"}};
constexpr char kNotSent[] = "not_sent";

constexpr std::pair<ReadFailure, const char*> kReadAnswers[] = {
    {ReadFailure::kNone, "ok"},
    {ReadFailure::kNotFound, "not_found"},
    {ReadFailure::kKeyRefused, "key_refused"},
    {ReadFailure::kBusy, "busy"},
    {ReadFailure::kBroken, "broken"},
    {ReadFailure::kUnreadable, "unreadable"},
    {ReadFailure::kOther, "other"}};

constexpr std::pair<UpstreamRead, const char*> kReads[] = {{UpstreamRead::kGet, "get"},
                                                           {UpstreamRead::kList, "list"}};

// An exchange takes between a round trip and the longest that an answer is read for.
const Buckets kRequestSeconds = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 330};
// A poll that is late by more than its interval (2 to 30 s) means that the cap is reached.
const Buckets kLagSeconds = {0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300};
// Polls come every 2 to 30 s; a restart or an outage adds minutes.
const Buckets kDelaySeconds = {0.5, 1, 2, 3, 5, 10, 15, 30, 60, 300, 1800};
const Buckets kCommitSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,  0.5,    1,     5,    30};

double Micros(std::int64_t micros) { return static_cast<double>(micros); }

}  // namespace

// Filled once; only read after that, so that no lock is needed to find a series.
struct PrometheusMetrics::Series {
  std::map<JobState, Counter*> transitions;
  std::map<JobState, Gauge*> jobs;  // live states
  std::map<FactKind, std::pair<Counter*, Histogram*>> posts;
  std::pair<Counter*, Histogram*> unsent_posts;
  std::map<std::pair<UpstreamRead, ReadFailure>, Histogram*> reads;
  Histogram* poll_lag = nullptr;
  Counter* observed_by_id = nullptr;
  Counter* observed_from_list = nullptr;
  Histogram* delay_lower = nullptr;
  Histogram* delay_upper = nullptr;
  Histogram* commit = nullptr;
  Counter* commit_operations = nullptr;
  Gauge* unknown_records = nullptr;
  Gauge* held_usd_micros = nullptr;
  Gauge* uncertain_usd_micros = nullptr;
  Gauge* today_reserved = nullptr;
  Gauge* today_incurred = nullptr;
  Gauge* today_uncertain = nullptr;
  Gauge* daily_limit = nullptr;
  Gauge* paused_by_operator = nullptr;
  Gauge* held_back_by_restore = nullptr;
  Gauge* held_back_by_refusal = nullptr;
  Gauge* held_back_by_doubt = nullptr;
  Gauge* held_back_seconds = nullptr;
  Gauge* posts_in_flight = nullptr;
  Gauge* lease_seconds = nullptr;
  Gauge* watchers = nullptr;
  Gauge* feeds = nullptr;
  Gauge* store_answers = nullptr;
  Gauge* engine_answers = nullptr;
  prometheus::Family<Gauge>* queues = nullptr;
  prometheus::Family<Counter>* streams_ended = nullptr;
  prometheus::Family<Counter>* refusals = nullptr;
};

PrometheusMetrics::PrometheusMetrics(const std::string& version)
    : registry_(std::make_shared<prometheus::Registry>()), series_(std::make_unique<Series>()) {
  prometheus::Registry& registry = *registry_;
  Series& s = *series_;
  const auto gauge = [&registry](const char* name, const char* help,
                                 const std::map<std::string, std::string>& labels = {}) {
    return &BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
  };
  const auto histogram = [&registry](const char* name, const char* help, const Buckets& buckets,
                                     const std::map<std::string, std::string>& labels = {}) {
    return &BuildHistogram().Name(name).Help(help).Register(registry).Add(labels, buckets);
  };

  gauge("lumaedit_build_info", "1, with the version of the gateway", {{"version", version}})
      ->Set(1);
  auto& transitions =
      BuildCounter()
          .Name("lumaedit_transitions_total")
          .Help("Transitions of jobs that were committed and published, by new state")
          .Register(registry);
  for (const JobState state : kStates) {
    const std::string word = absl::AsciiStrToLower(std::string(JobStateName(state)));
    s.transitions[state] = &transitions.Add({{"state", word}});
    if (state < JobState::kSucceeded) {
      s.jobs[state] =
          gauge("lumaedit_jobs", "Jobs that are not final, by state", {{"state", word}});
    }
  }
  s.held_usd_micros =
      gauge("lumaedit_held_usd_micros", "Money in doubt of HELD jobs, in micro-dollars, at most");
  s.uncertain_usd_micros = gauge("lumaedit_uncertain_usd_micros",
                                 "Money in doubt of all jobs, in micro-dollars, at most");

  const auto today = [&](const char* charge) {
    return gauge("lumaedit_today_usd_micros",
                 "Money of the jobs that were submitted today (UTC), by the state of their charge, "
                 "in micro-dollars, at most",
                 {{"charge", charge}});
  };
  s.today_reserved = today("reserved");
  s.today_incurred = today("incurred");
  s.today_uncertain = today("uncertain");
  s.daily_limit = gauge("lumaedit_daily_limit_usd_micros",
                        "What they may cost together; +Inf where there is no limit");

  auto& posts = BuildCounter()
                    .Name("lumaedit_posts_total")
                    .Help("POSTs to the upstream that are over, by what their answer meant")
                    .Register(registry);
  const auto add_post = [&](const char* answer) {
    return std::pair{&posts.Add({{"answer", answer}}),
                     histogram("lumaedit_upstream_request_seconds",
                               "Requests to the upstream, by method and answer, with their uploads",
                               kRequestSeconds, {{"method", "post"}, {"answer", answer}})};
  };
  for (const auto& [answer, word] : kAnswers) s.posts[answer] = add_post(word);
  s.unsent_posts = add_post(kNotSent);
  for (const auto& [read, method] : kReads) {
    for (const auto& [answer, word] : kReadAnswers) {
      s.reads[{read, answer}] =
          histogram("lumaedit_upstream_request_seconds",
                    "Requests to the upstream, by method and answer, with their uploads",
                    kRequestSeconds, {{"method", method}, {"answer", word}});
    }
  }
  s.poll_lag = histogram("lumaedit_poll_lag_seconds", "How late polls went out", kLagSeconds);
  auto& observed = BuildCounter()
                       .Name("lumaedit_observations_total")
                       .Help("States of running jobs that were read, by id or from the list")
                       .Register(registry);
  s.observed_by_id = &observed.Add({{"by", "id"}});
  s.observed_from_list = &observed.Add({{"by", "list"}});
  const auto delay = [&](const char* bound) {
    return histogram("lumaedit_detection_delay_seconds",
                     "How long after it happened upstream a transition was known: at least "
                     "(lower) and at most (upper)",
                     kDelaySeconds, {{"bound", bound}});
  };
  s.delay_lower = delay("lower");
  s.delay_upper = delay("upper");
  s.commit = histogram("lumaedit_store_commit_seconds", "Commits of the store", kCommitSeconds);
  s.commit_operations = &BuildCounter()
                             .Name("lumaedit_store_operations_total")
                             .Help("Writes that commits of the store made durable")
                             .Register(registry)
                             .Add({});
  s.unknown_records = gauge("lumaedit_unknown_upstream_records",
                            "Records in the last reading of the upstream's list that nobody knows");

  const char kHeldBack[] = "1 while nothing is sent, by who holds it back";
  s.paused_by_operator = gauge("lumaedit_dispatch_paused", kHeldBack, {{"by", "operator"}});
  s.held_back_by_restore = gauge("lumaedit_dispatch_paused", kHeldBack, {{"by", "restore"}});
  s.held_back_by_refusal = gauge("lumaedit_dispatch_paused", kHeldBack, {{"by", "refusal"}});
  s.held_back_by_doubt = gauge("lumaedit_dispatch_paused", kHeldBack, {{"by", "doubt"}});
  s.held_back_seconds = gauge("lumaedit_dispatch_held_back_seconds",
                              "How long the breaker still holds dispatch back");
  s.posts_in_flight = gauge("lumaedit_posts_in_flight", "POSTs to the upstream under way");
  s.lease_seconds =
      gauge("lumaedit_lease_seconds", "How long the lease is good for; below 0: lost");
  s.watchers = gauge("lumaedit_watchers", "Open watches");
  s.feeds = gauge("lumaedit_feeds", "Jobs whose transitions are in memory for watchers");
  const char kAnswersHelp[] = "1 when this part answered the scrape in time";
  s.store_answers = gauge("lumaedit_answers", kAnswersHelp, {{"part", "store"}});
  s.engine_answers = gauge("lumaedit_answers", kAnswersHelp, {{"part", "engine"}});
  s.queues = &BuildGauge()
                  .Name("lumaedit_queue_depth")
                  .Help("What waits: jobs to be sent, polled or looked for; work for threads")
                  .Register(registry);
  s.streams_ended = &BuildCounter()
                         .Name("lumaedit_streams_ended_total")
                         .Help("Watch streams that have ended, by reason")
                         .Register(registry);
  s.refusals = &BuildCounter()
                    .Name("lumaedit_refusals_total")
                    .Help("Calls that were refused, by the reason that their callers were told")
                    .Register(registry);
}

PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::Transitioned(JobState state) {
  const auto it = series_->transitions.find(state);
  if (it != series_->transitions.end()) it->second->Increment();
}

void PrometheusMetrics::PostEnded(bool last_byte_given, FactKind answer, absl::Duration took) {
  // What an answer says before the last byte was given counts where it is a clear no.
  const bool unsent = !last_byte_given && answer == FactKind::kUnclear;
  const auto it = series_->posts.find(answer);
  const auto [counter, seconds] =
      unsent || it == series_->posts.end() ? series_->unsent_posts : it->second;
  counter->Increment();
  seconds->Observe(absl::ToDoubleSeconds(took));
}

void PrometheusMetrics::ReadEnded(UpstreamRead what, ReadFailure failure, absl::Duration took) {
  const auto it = series_->reads.find({what, failure});
  if (it != series_->reads.end()) it->second->Observe(absl::ToDoubleSeconds(took));
}

void PrometheusMetrics::PollLag(absl::Duration lag) {
  series_->poll_lag->Observe(absl::ToDoubleSeconds(lag));
}

void PrometheusMetrics::Observed(bool from_list) {
  (from_list ? series_->observed_from_list : series_->observed_by_id)->Increment();
}

void PrometheusMetrics::UnknownUpstreamRecords(int count) { series_->unknown_records->Set(count); }

void PrometheusMetrics::DetectionDelay(absl::Duration lower, absl::Duration upper) {
  // Wall times: a clock that jumped back must not lower the sum.
  series_->delay_lower->Observe(std::max(absl::ToDoubleSeconds(lower), 0.0));
  series_->delay_upper->Observe(std::max(absl::ToDoubleSeconds(upper), 0.0));
}

void PrometheusMetrics::StoreCommitted(absl::Duration took, int operations) {
  series_->commit->Observe(absl::ToDoubleSeconds(took));
  series_->commit_operations->Increment(operations);
}

std::string PrometheusMetrics::Text(const Snapshot& snapshot) {
  Show(snapshot);
  return static_cast<const prometheus::Serializer&>(prometheus::TextSerializer())
      .Serialize(registry_->Collect());
}

void PrometheusMetrics::Show(const Snapshot& snapshot) {
  Series& s = *series_;
  s.store_answers->Set(snapshot.store ? 1 : 0);
  s.engine_answers->Set(snapshot.engine ? 1 : 0);
  s.watchers->Set(static_cast<double>(snapshot.watchers));
  s.feeds->Set(static_cast<double>(snapshot.feeds));
  const auto queue = [&s](const std::string& name, std::size_t depth) {
    s.queues->Add({{"queue", name}}).Set(static_cast<double>(depth));
  };
  for (const auto& [name, depth] : snapshot.queues) queue(name, depth);
  const auto count_up = [](prometheus::Family<Counter>& family,
                           const std::map<std::string, std::int64_t>& counts) {
    for (const auto& [reason, count] : counts) {
      Counter& counter = family.Add({{"reason", absl::AsciiStrToLower(reason)}});
      counter.Increment(static_cast<double>(count) - counter.Value());
    }
  };
  count_up(*s.streams_ended, snapshot.streams_ended);
  count_up(*s.refusals, snapshot.refusals);
  // A part that does not answer keeps its last values, and lumaedit_answers says so.
  if (snapshot.store) {
    for (const auto& [state, jobs] : s.jobs) {
      const auto it = snapshot.store->live.find(state);
      jobs->Set(it == snapshot.store->live.end() ? 0 : static_cast<double>(it->second));
    }
    s.held_usd_micros->Set(Micros(snapshot.store->held_usd_micros));
    s.uncertain_usd_micros->Set(Micros(snapshot.store->uncertain_usd_micros));
    s.today_reserved->Set(Micros(snapshot.today.reserved_usd_micros));
    s.today_incurred->Set(Micros(snapshot.today.incurred_usd_micros));
    s.today_uncertain->Set(Micros(snapshot.today.uncertain_usd_micros));
  }
  const auto& limit = snapshot.daily_limit_usd_micros;
  s.daily_limit->Set(limit ? Micros(*limit) : std::numeric_limits<double>::infinity());
  if (snapshot.engine) {
    const EngineStatus& engine = *snapshot.engine;
    const DispatchStatus& dispatch = engine.dispatch;
    const bool held_back = dispatch.held_back > absl::ZeroDuration();
    s.paused_by_operator->Set(engine.paused ? 1 : 0);
    s.held_back_by_restore->Set(engine.restored ? 1 : 0);
    s.held_back_by_refusal->Set(dispatch.refused ? 1 : 0);
    s.held_back_by_doubt->Set(held_back && !dispatch.refused ? 1 : 0);
    s.held_back_seconds->Set(absl::ToDoubleSeconds(dispatch.held_back));
    s.posts_in_flight->Set(dispatch.in_flight);
    s.lease_seconds->Set(absl::ToDoubleSeconds(engine.lease_good_for));
    queue("dispatch", dispatch.waiting);
    queue("poll", engine.polled);
    queue("reconcile", engine.looked_for);
  }
}

}  // namespace lumaedit
