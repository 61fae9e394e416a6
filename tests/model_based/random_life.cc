#include "tests/model_based/random_life.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

constexpr int kJobsAtOnce = 12;  // live ones; more make a life slower and not richer
constexpr std::size_t kLinesKept = 400;
using Kind = PostScript::Kind;

}  // namespace

WorldOptions RandomLife::OptionsFor(std::uint64_t seed) {
  SeededRandom random(seed ^ 0x5EED);
  WorldOptions options;
  options.seed = seed;
  options.settings.dispatch.posts_in_flight = 1 + static_cast<int>(random.NextBits() % 8);
  options.settings.poll.job_deadline = absl::Minutes(30);  // so that what is stuck ends in a life
  options.settings.reconcile.retry_capacity_refusal = random.Uniform() < 0.7;
  options.settings.reconcile.page_limit = 1 + static_cast<int>(random.NextBits() % 20);
  return options;
}

RandomLife::RandomLife(std::uint64_t seed)
    : random_(seed), world_(OptionsFor(seed)), model_(world_) {
  empty_echoes_ = Chance(0.3);
  world_.upstream.on_post = [this](const std::string&) { return SomePost(); };
  world_.upstream.on_get = [this](const std::string&) { return SomeGetFailure(); };
  world_.upstream.on_list = [this](const ListQuery&) { return SomeListFailure(); };
  ChangeWeather();
}

std::vector<std::string> RandomLife::Run(int operations) {
  for (int i = 0; i < operations; ++i) {
    Step();
    world_.Settle();
    model_.Check();
    TakeWhatWatchersSaw();
    if (!model_.problems().empty()) return model_.problems();
  }
  Rest();
  return model_.problems();
}

void RandomLife::Step() {
  const int chance = Below(100);
  if (chance < 18) return Submit();
  if (chance < 23) return Repeat();
  if (chance < 29) return Cancel();
  if (chance < 34) return Watch();
  if (chance < 38) return EndProcess();
  if (chance < 42) return ChangeWeather();
  if (chance < 47) return Resolve();
  LetTimePass();
}

void RandomLife::Submit() {
  int live = 0;
  for (const auto& [id, job] : model_.jobs()) live += model_.IsFinal(job) ? 0 : 1;
  if (live >= kJobsAtOnce) return LetTimePass();
  // One in five shares its edit with an earlier one.
  const std::string prompt = prompts_ > 0 && Chance(0.2)
                                 ? absl::StrCat("edit ", Below(prompts_) + 1)
                                 : absl::StrCat("edit ", ++prompts_);
  SubmitRequest request = world_.Request(prompt, absl::StrCat("caller-", Below(3)));
  if (Chance(0.1)) request.options.start_within = UpTo(absl::Minutes(5));
  Say(absl::StrCat("submit '", prompt, "' of ", request.caller));
  world_.service().Submit(request, Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
                            if (!answer.ok()) return model_.Refused("submit", answer.status());
                            model_.Acknowledged(request, answer->job);
                          }));
}

void RandomLife::Repeat() {
  const std::string* id = SomeJob();
  if (id == nullptr) return Submit();
  SubmitRequest request = model_.jobs().at(*id).request;
  const bool differs = Chance(0.2);
  if (differs) request.edit.prompt += " otherwise";
  Say(absl::StrCat("repeat of ", *id, differs ? ", changed" : ""));
  world_.service().Submit(
      request, Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
        if (differs == absl::IsAlreadyExists(answer.status()) && (differs || answer.ok())) {
          if (answer.ok()) model_.Acknowledged(request, answer->job);
          return;
        }
        model_.Refused(differs ? "a changed repeat" : "a repeat", answer.status());
      }));
}

void RandomLife::Cancel() {
  const std::string* id = SomeJob();
  if (id == nullptr) return Submit();
  // The model's state is that of this instant: nothing runs between its last look and this call.
  const CancelResult result = world_.Cancel(*id, model_.jobs().at(*id).request.caller);
  Say(absl::StrCat("cancel of ", *id, ": ", static_cast<int>(result)));
  model_.Cancelled(*id, result);
}

void RandomLife::Resolve() {
  std::vector<const std::string*> held;
  for (const auto& [id, job] : model_.jobs()) {
    if (job.state == JobState::kHeld) held.push_back(&id);
  }
  // Held jobs are rare and most of them should be found, not decided.
  if (held.empty() || Chance(0.5)) return LetTimePass();
  const Job job = world_.Get(*held[static_cast<std::size_t>(Below(static_cast<int>(held.size())))]);
  ResolveRequest request{.caller = job.caller, .job_id = job.id, .resolution = {}, .note = {}};
  request.resolution.expected_sequence = job.sequence - (Chance(0.1) ? 1 : 0);
  request.resolution.actor = "tester";
  const std::vector<std::string>& candidates = job.candidate_upstream_ids;
  if (!candidates.empty() && Chance(0.6)) {
    request.resolution.adopt_upstream_id =
        candidates[static_cast<std::size_t>(Below(static_cast<int>(candidates.size())))];
  }
  Say(absl::StrCat(
      "resolve ", job.id, ": ",
      request.resolution.abandons() ? "abandon" : request.resolution.adopt_upstream_id));
  world_.engine().calls().Resolve(
      request, Reply<JobSnapshot>([this, request](absl::StatusOr<JobSnapshot> answer) {
        if (answer.ok()) {
          ++counts_.resolved;
          if (!request.resolution.abandons()) model_.AdoptedByHand(answer->job);
          return;
        }
        Say(absl::StrCat("resolve: ", std::string(answer.status().message())));
        // What it may be refused with: it moved on, a record is there, the upstream or the key is
        // not.
        if (absl::IsAborted(answer.status()) || absl::IsFailedPrecondition(answer.status()) ||
            absl::IsAlreadyExists(answer.status()) || absl::IsUnavailable(answer.status()) ||
            absl::IsInvalidArgument(answer.status()) || absl::IsInternal(answer.status()) ||
            absl::IsResourceExhausted(answer.status())) {
          return;
        }
        model_.Refused("resolve", answer.status());
      }));
  world_.RunFor(UpTo(absl::Seconds(10)));
}

void RandomLife::Watch() {
  const std::string* id = SomeJob();
  if (id == nullptr || watchers_.contains(*id)) return LetTimePass();
  Say(absl::StrCat("watch of ", *id));
  watchers_[*id] = nullptr;
  OpenWatches();
}

void RandomLife::OpenWatches() {
  for (auto& [id, watcher] : watchers_) {
    if (watcher != nullptr) continue;
    const auto& job = model_.jobs().at(id);
    watcher = world_.Watch(id, static_cast<int>(job.seen.size()), job.request.caller);
  }
}

void RandomLife::TakeWhatWatchersSaw() {
  for (auto& [id, watcher] : watchers_) {
    if (watcher == nullptr) continue;
    const std::size_t known = model_.jobs().at(id).seen.size();
    std::vector<Transition> fresh;
    for (const Transition& transition : watcher->seen()) {
      if (transition.sequence > static_cast<int>(known)) fresh.push_back(transition);
    }
    model_.Watched(id, fresh);
  }
}

void RandomLife::LetTimePass() {
  const int chance = Below(100);
  const absl::Duration time = chance < 60   ? UpTo(absl::Seconds(2))
                              : chance < 93 ? UpTo(absl::Seconds(30))
                                            : UpTo(absl::Minutes(12));
  Say(absl::StrCat("time: ", absl::FormatDuration(time)));
  world_.RunFor(time);
}

void RandomLife::EndProcess() {
  ++counts_.restarts;
  TakeWhatWatchersSaw();
  if (Chance(0.25)) {
    Say("stopped as by SIGTERM");
    world_.ShutDown(UpTo(absl::Seconds(20)));
  } else {
    Say("killed");
    world_.Stop();
  }
  for (auto& [id, watcher] : watchers_) watcher = nullptr;
  if (Chance(0.3)) world_.clock.Advance(UpTo(absl::Minutes(3)));
  world_.Start();
  model_.CheckNothingLost();
  OpenWatches();
}

void RandomLife::ChangeWeather() {
  post_faults_ = Chance(0.3) ? 0 : Chance(0.2) ? 0.9 : 0.4 * random_.Uniform();
  read_faults_ = Chance(0.4) ? 0 : Chance(0.15) ? 1.0 : 0.3 * random_.Uniform();
  world_.upstream.get_takes = Chance(0.5) ? absl::ZeroDuration() : UpTo(absl::Seconds(3));
  world_.upstream.list_takes = Chance(0.5) ? absl::ZeroDuration() : UpTo(absl::Seconds(3));
  world_.upstream.list_unordered = Chance(0.05);
  world_.upstream.says_has_more = !Chance(0.1);
  world_.upstream.sends_date = !Chance(0.2);
  Say(absl::StrCat("weather: POST ", post_faults_, ", reads ", read_faults_));
}

void RandomLife::Rest() {
  Say("rest");
  post_faults_ = read_faults_ = 0;
  world_.upstream.list_unordered = false;
  world_.upstream.says_has_more = true;
  world_.upstream.sends_date = true;
  world_.upstream.get_takes = world_.upstream.list_takes = absl::ZeroDuration();
  // Held jobs are looked for every ten minutes; a failed record counts when its attempt is over.
  int quiet = 0;
  for (int look = 0; look < 60 && quiet < 3 && model_.problems().empty(); ++look) {
    world_.RunFor(absl::Minutes(10));
    model_.Check();
    TakeWhatWatchersSaw();
    quiet = model_.AllSettled() ? quiet + 1 : 0;
  }
  if (model_.problems().empty()) model_.CheckAtRest();
}

PostScript RandomLife::SomePost() {
  PostScript script;
  script.record = SomeRecord();
  script.upload = Chance(0.5) ? absl::ZeroDuration() : UpTo(absl::Seconds(2));
  script.answer_after = Chance(0.7) ? UpTo(absl::Seconds(1)) : UpTo(absl::Seconds(20));
  if (!Chance(post_faults_)) return script;
  constexpr Kind kKinds[] = {Kind::kAccept,      Kind::kNotSent,         Kind::kBreaksUnsent,
                             Kind::kLoseAnswer,  Kind::kLoseAnswer,      Kind::kLoseRequest,
                             Kind::kRateLimited, Kind::kCapacity,        Kind::kCapacity,
                             Kind::kEditRefused, Kind::kEveryoneRefused, Kind::kThrows};
  script.kind = kKinds[Below(std::size(kKinds))];
  switch (script.kind) {
    case Kind::kAccept:
      // Later than the answer is awaited, and at times than it is read.
      script.answer_after = UpTo(absl::Seconds(400));
      break;
    case Kind::kRateLimited:
      script.retry_after = UpTo(absl::Seconds(120));
      script.early = Chance(0.3);
      break;
    case Kind::kCapacity:
      script.names_id = Chance(0.5);
      if (Chance(0.6)) {
        script.leaves = SomeRecord();
        if (Chance(0.5)) script.leaves->course = {{absl::ZeroDuration(), "failed"}};
      }
      break;
    case Kind::kEditRefused:
      script.early = Chance(0.3);
      break;
    case Kind::kEveryoneRefused: {
      constexpr int kStatuses[] = {401, 402, 403, 404, 405, 302};
      script.http_status = kStatuses[Below(std::size(kStatuses))];
      script.early = Chance(0.3);
      break;
    }
    default:
      break;
  }
  return script;
}

FakeRecord RandomLife::SomeRecord() {
  FakeRecord record;
  const absl::Duration a = UpTo(absl::Seconds(60));
  const absl::Duration b = a + UpTo(absl::Minutes(4));
  const RecordStep queued{absl::ZeroDuration(), "queued"};
  switch (Below(14)) {
    case 0:
      record.course = {{absl::ZeroDuration(), "success"}};
      break;
    case 1:
      record.course = {queued, {a, "processing"}, {b, "failed"}};
      break;
    case 2:
      record.course = {{absl::ZeroDuration(), "failed"}};
      break;
    case 3:
      record.course = {queued, {a, "canceled"}};
      break;
    case 4:
      record.course = {{absl::ZeroDuration(), "processing"}, {a, "queued"}, {b, "success"}};
      break;
    case 5:
      record.course = {queued, {a, "throttled"}, {b, "success"}};
      break;
    case 6:
      record.course = {queued, {a, "success", false}, {b, "success"}};
      break;
    case 7:
      record.course = {queued};  // for ever
      break;
    case 8:
      record.course = {queued, {a, "processing"}, {absl::Minutes(10), "failed"}};
      break;
    default:
      record.course = {queued, {a, "processing"}, {b, "success"}};
  }
  if (Chance(0.2)) record.shows_after = UpTo(absl::Seconds(115));  // assumption A3 holds
  record.found_by_id = !Chance(0.1);
  record.without_time = Chance(0.05);
  record.empty_echo = empty_echoes_ && Chance(0.2);
  return record;
}

std::optional<GetResult> RandomLife::SomeGetFailure() {
  if (!Chance(read_faults_)) return std::nullopt;
  GetResult answer;
  constexpr ReadFailure kFailures[] = {ReadFailure::kNotFound, ReadFailure::kKeyRefused,
                                       ReadFailure::kBusy, ReadFailure::kBroken,
                                       ReadFailure::kUnreadable};
  answer.failure = kFailures[Below(std::size(kFailures))];
  if (answer.failure == ReadFailure::kBusy) answer.retry_after = UpTo(absl::Seconds(60));
  return answer;
}

std::optional<ListResult> RandomLife::SomeListFailure() {
  if (!Chance(read_faults_)) return std::nullopt;
  ListResult answer;
  constexpr ReadFailure kFailures[] = {ReadFailure::kKeyRefused, ReadFailure::kBusy,
                                       ReadFailure::kBroken, ReadFailure::kUnreadable};
  answer.failure = kFailures[Below(std::size(kFailures))];
  return answer;
}

const std::string* RandomLife::SomeJob() {
  const std::vector<std::string>& order = model_.order();
  if (order.empty()) return nullptr;
  // Mostly a young one: old ones are final.
  const int recent = std::min<int>(static_cast<int>(order.size()), 15);
  return Chance(0.8) ? &order[order.size() - 1 - static_cast<std::size_t>(Below(recent))]
                     : &order[static_cast<std::size_t>(Below(static_cast<int>(order.size())))];
}

void RandomLife::Say(std::string line) {
  done_.push_back(
      absl::StrCat(absl::FormatTime(world_.clock.Now(), absl::UTCTimeZone()), " ", line));
  if (done_.size() > kLinesKept) done_.pop_front();
}

std::string RandomLife::Story() {
  std::string story;
  for (const auto& [id, known] : model_.jobs()) {
    const JobView view = world_.View(id);
    absl::StrAppend(&story, id, " '", view.job.edit.prompt, "' ", view.job.upstream_id, ":");
    for (const Transition& transition : world_.Transitions(id)) {
      absl::StrAppend(&story, " ", std::string(JobStateName(transition.state)), "@",
                      absl::FormatTime("%H:%M:%E3S", transition.record_time, absl::UTCTimeZone()));
    }
    for (const Attempt& attempt : view.attempts) {
      absl::StrAppend(&story, "; attempt ", attempt.number, " ", attempt.upstream_id, " ended ",
                      absl::FormatTime("%H:%M:%E3S", attempt.end_time, absl::UTCTimeZone()));
      for (const Fact& fact : attempt.facts) {
        absl::StrAppend(&story, " fact ", static_cast<int>(fact.kind), " ", fact.upstream_id);
      }
    }
    absl::StrAppend(&story, "; candidates ", view.job.candidate_upstream_ids.size(), "\n");
  }
  for (const FakeRecord& record : world_.upstream.records()) {
    absl::StrAppend(&story, record.id, record.listed ? " " : " unlisted ",
                    record.without_time ? "without time " : "", " '", record.payload.prompt, "' ",
                    absl::FormatTime("%H:%M:%E3S", record.created_at, absl::UTCTimeZone()), " ",
                    record.course.back().word, record.empty_echo ? " without echo" : "", "\n");
  }
  for (const RecordingLog::Line& line : world_.log.lines()) {
    if (line.level >= LogLevel::kError) absl::StrAppend(&story, line.text, "\n");
  }
  return story;
}

RandomLife::Counts RandomLife::counts() const {
  Counts counts = counts_;
  counts.jobs = static_cast<long>(model_.jobs().size());
  counts.accepted = static_cast<long>(world_.upstream.accepted().size());
  counts.posts = static_cast<long>(world_.upstream.posts().size());
  for (const auto& [id, job] : model_.jobs()) {
    counts.in_doubt += IsSet(job.in_doubt_since) ? 1 : 0;
    counts.held += job.state == JobState::kHeld ? 1 : 0;
    counts.cancelled += job.state == JobState::kCancelled ? 1 : 0;
  }
  return counts;
}

}  // namespace lumaedit
