#include "scenario.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "edit_rules.h"
#include "json_get.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

constexpr double kMaxRunSeconds = 1800.0;

struct Durations {
  double queue = 0.0;
  double run = 0.0;
};

const Fault* Find(const std::vector<Fault>& faults, const char* name) {
  for (const Fault& fault : faults) {
    if (fault.name == name) return &fault;
  }
  return nullptr;
}

Durations DrawDurations(World& world, const Record& record) {
  const json::object& payload = record.submission.payload;
  double run = world.options.median_run_seconds * std::exp(0.5 * world.random.Normal());
  run *= std::sqrt(static_cast<double>(BlocksOf(record.source_seconds)));
  if (GetString(payload, "resolution") == "1080p") run *= 2.0;
  if (GetBool(payload, "hdr", false)) run *= 2.0;
  Durations out{world.random.Unit() * world.options.max_queue_seconds,
                std::min(run, kMaxRunSeconds)};
  if (world.options.fixed_queue_seconds) out.queue = *world.options.fixed_queue_seconds;
  if (world.options.fixed_run_seconds) out.run = *world.options.fixed_run_seconds;
  if (const Fault* fault = Find(record.faults, "durations")) {
    out.queue = GetNumber(fault->args, "queue_seconds", out.queue);
    out.run = GetNumber(fault->args, "run_seconds", out.run);
  }
  if (Find(record.faults, "fast") != nullptr) out = {0.5, 0.5};
  return out;
}

std::string FirstStatus(World& world) {
  static constexpr const char* kWords[] = {"processing", "dispatched", "queued"};
  if (world.options.first_status == "mixed") return kWords[world.random.Index(3)];
  return world.options.first_status;
}

bool FailsLate(const Record& record) {
  if (Find(record.faults, "failure_shape") != nullptr) return true;
  const Fault* limit = Find(record.faults, "source_limit");
  return limit != nullptr && GetString(limit->args, "at", "late") == "late" &&
         record.source_seconds > GetNumber(limit->args, "limit_seconds", 18.0);
}

void PlanSteps(World& world, Record& record) {
  const Durations durations = DrawDurations(world, record);
  const std::string first = FirstStatus(world);
  const double start = record.created;
  std::vector<Step>& steps = record.steps;

  if (Find(record.faults, "sync_success") != nullptr) {
    steps = {{start, "success"}};
    return;
  }
  if (Find(record.faults, "sync_failure") != nullptr) {
    steps = {{start, "failed"}};
    return;
  }
  if (const Fault* fault = Find(record.faults, "stuck")) {
    const std::string status = GetString(fault->args, "status", "queued");
    steps = {{start, status == "processing" ? first : status}};
    if (status == "processing" && first != status) {
      steps.push_back({start + durations.queue, status});
    }
    return;
  }
  steps = {{start, first}};
  const double running = first == "processing" ? start : start + durations.queue;
  if (first != "processing") steps.push_back({running, "processing"});
  double end = start + durations.queue + durations.run;
  if (const Fault* fault = Find(record.faults, "status_backwards")) {
    const double seconds = GetNumber(fault->args, "seconds", 5.0);
    steps.push_back({running + seconds, "queued"});
    steps.push_back({running + 2 * seconds, "processing"});
    end = std::max(end, running + 3 * seconds);
  }
  if (const Fault* fault = Find(record.faults, "late_failure")) {
    steps.push_back({start + GetNumber(fault->args, "seconds", 600.0), "failed"});
  } else if (const Fault* cancel = Find(record.faults, "cancelled")) {
    steps.push_back({end, GetString(cancel->args, "word", "cancelled")});
  } else {
    steps.push_back({end, FailsLate(record) ? "failed" : "success"});
  }
}

std::unique_ptr<Record> NewRecord(World& world, const ApiKey& key, Submission submission) {
  auto record = std::make_unique<Record>();
  record->id = world.random.Uuid();
  record->generation_id = world.random.Uuid();
  record->org = key.org;
  record->user = key.user;
  record->key = key.secret;
  record->created = world.clock.Now();
  double fallback = world.options.source_seconds;
  // A chained edit follows the length of its source.
  const Record* source =
      world.records.FindByGeneration(GetString(submission.payload, "source_generation_id"));
  if (source != nullptr) fallback = source->source_seconds;
  record->source_seconds = SourceSeconds(submission.prompt, fallback);
  record->submission = std::move(submission);
  return record;
}

}  // namespace

Record& AcceptSubmission(World& world, ApiKey& key, Submission submission,
                         const std::vector<Fault>& faults) {
  std::unique_ptr<Record> record = NewRecord(world, key, std::move(submission));
  record->faults = faults;
  for (Fault& fault : record->faults) fault.match_prompt.clear();
  if (const Fault* delay = Find(faults, "list_delay")) {
    record->listed = !GetBool(delay->args, "never", false);
    record->visible_at = record->created + GetNumber(delay->args, "seconds", 30.0);
  }
  PlanSteps(world, *record);
  record->accepted = true;
  record->charged_usd_micros = PriceUsdMicros(record->submission.payload, record->source_seconds);
  ++key.posts_accepted;
  key.charged_usd_micros += record->charged_usd_micros;
  return world.records.Add(std::move(record));
}

Record& AddRefusedRecord(World& world, ApiKey& key, Submission submission,
                         const std::string& reason) {
  std::unique_ptr<Record> record = NewRecord(world, key, std::move(submission));
  record->steps = {{record->created, "failed"}};
  record->forced["outcome"] = json::object{{"error", reason}};
  return world.records.Add(std::move(record));
}

}  // namespace lumaedit::simulator
