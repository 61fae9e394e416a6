#include "server/job/job_service.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/crash_point.h"
#include "server/base/hash.h"
#include "server/job/cancel_rule.h"
#include "server/job/quote.h"
#include "server/job/source_resolver.h"
#include "server/job/store_call.h"

namespace lumaedit {
namespace {

// An expiry that lies so near to the usual one is left: each change is a file that is synced.
constexpr absl::Duration kNearEnough = absl::Hours(1);

absl::Status Draining() {
  ErrorDetail detail;
  detail.reason = ErrorReason::kDraining;
  detail.retry_after = absl::Seconds(2);
  return MakeError(absl::StatusCode::kUnavailable, std::move(detail),
                   "this process is stopping; send the call again");
}

absl::Status OutOfRange(int after_sequence, int newest) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kSequenceOutOfRange;
  detail.metadata["newest_sequence"] = absl::StrCat(newest);
  return MakeError(
      absl::StatusCode::kOutOfRange, std::move(detail),
      absl::StrCat("after_sequence ", after_sequence, " lies beyond the newest one, ", newest));
}

absl::Status CheckPriceLimit(const Job& job) {
  const auto& limit = job.options.max_price_usd_micros;
  if (!limit || job.quote.max_usd_micros <= *limit) return absl::OkStatus();
  ErrorDetail detail;
  detail.reason = ErrorReason::kPriceAboveLimit;
  detail.metadata = {{"min_usd_micros", absl::StrCat(job.quote.min_usd_micros)},
                     {"max_usd_micros", absl::StrCat(job.quote.max_usd_micros)},
                     {"max_price_usd_micros", absl::StrCat(*limit)}};
  return MakeError(absl::StatusCode::kFailedPrecondition, std::move(detail),
                   absl::StrCat("the edit may cost ", job.quote.max_usd_micros,
                                " micro-dollars, above max_price_usd_micros"));
}

}  // namespace

JobService::JobService(Deps deps, BudgetSettings budget, RetentionSettings retention,
                       absl::Duration source_kept)
    : deps_(deps), budget_(budget), retention_(retention), source_kept_(source_kept) {}

template <typename T, typename Work>
void JobService::Run(Reply<T> reply, Work work) {
  RunOnStore(deps_.store_worker, std::move(reply), std::move(work));
}

JobSnapshot JobService::Snapshot(Job job) const {
  LiveInfo live = deps_.board.Get(job.id);
  const absl::Time purge_time = PurgeTime(job, retention_);
  return {std::move(job), live, purge_time};
}

void JobService::Submit(SubmitRequest request, Reply<JobSnapshot> reply) {
  request.request_id = absl::AsciiStrToLower(request.request_id);
  if (auto* stored = std::get_if<StoredSource>(&request.edit.source)) {
    absl::AsciiStrToLower(&stored->source_id);
  }
  if (request.inline_source) {
    SubmitInline(std::move(request), std::move(reply));
    return;
  }
  Run(std::move(reply), [this, request = std::move(request)]() -> absl::StatusOr<JobSnapshot> {
    if (auto known = AnswerKnown(request)) return *std::move(known);
    return SubmitNow(request, std::nullopt);
  });
}

void JobService::SubmitInline(SubmitRequest request, Reply<JobSnapshot> reply) {
  auto held_request = std::make_shared<const SubmitRequest>(std::move(request));
  auto held_reply = std::make_shared<Reply<JobSnapshot>>(std::move(reply));
  const bool taken = deps_.store_worker.TryPost([this, held_request, held_reply] {
    if (auto known = AnswerKnown(*held_request)) {
      std::move (*held_reply)(*std::move(known));
      return;
    }
    const std::shared_ptr<const std::string> bytes(held_request,
                                                   &held_request->inline_source->data);
    deps_.measurer.Measure(
        bytes,
        Reply<MediaInfo>([this, held_request, held_reply](const absl::StatusOr<MediaInfo>& media) {
          if (!media.ok()) {
            std::move (*held_reply)(media.status());
            return;
          }
          Run(std::move(*held_reply), [this, held_request, length = media->duration] {
            return SubmitNow(*held_request, length);
          });
        }));
  });
  if (!taken) std::move (*held_reply)(Overloaded());
}

std::optional<absl::StatusOr<JobSnapshot>> JobService::AnswerKnown(const SubmitRequest& request) {
  // Looked up before anything is stored: a repeat must not leave a second copy of a video behind,
  // and must be answered while draining.
  const auto known = deps_.store.FindByRequestId(request.caller, request.request_id);
  if (known.ok()) {
    Edit edit = request.edit;
    if (request.inline_source) {
      edit.source =
          StoredSource{.source_id = {},
                       .media_type = request.inline_source->media_type,
                       .sha256 = Sha256Hex(request.inline_source->data),
                       .size_bytes = static_cast<std::int64_t>(request.inline_source->data.size()),
                       .was_inline = true};
    }
    return AnswerRepeat(*known, request, edit);
  }
  if (!absl::IsNotFound(known.status())) return known.status();
  if (draining_) return Draining();
  return std::nullopt;
}

absl::StatusOr<JobSnapshot> JobService::SubmitNow(const SubmitRequest& request,
                                                  const Measured& measured) {
  auto resolved = ResolveSource(deps_.store, deps_.sources, request.caller, request.edit.source,
                                request.options.declared_source_duration);
  if (!resolved.ok()) return resolved.status();
  if (measured) resolved->length = MeasuredLength(*measured);

  const absl::Time now = deps_.clock.Now();
  NewJob new_job;
  Job& job = new_job.job;
  job.id = deps_.random.Uuid();
  job.caller = request.caller;
  job.request_id = request.request_id;
  job.edit = request.edit;
  job.edit.source = resolved->source;
  job.options = request.options;
  job.source_length = resolved->length;
  job.quote = QuoteFor(job.edit.output_format, job.source_length).price;
  job.charge = {ChargeState::kReserved, job.quote};
  job.create_time = now;
  new_job.day_start = PeriodOf(BudgetWindow::kDay, now).start;
  new_job.budget_window_start = PeriodOf(budget_.window, now).start;
  if (auto limit = CallerLimit(budget_, job.caller, now)) new_job.limits.push_back(*limit);
  if (auto limit = DailyLimit(budget_, now)) new_job.limits.push_back(*limit);
  if (absl::Status allowed = CheckPriceLimit(job); !allowed.ok()) return allowed;
  if (measured) {
    auto edit = StoreInline(request, job.id, *measured);
    if (!edit.ok()) return edit.status();
    job.edit = *std::move(edit);
  } else if (absl::Status kept = KeepSource(job.caller, *resolved); !kept.ok()) {
    return kept;
  }

  auto inserted = deps_.store.Insert(new_job);
  if (!inserted.ok()) {
    RefreshAfter(inserted.status(), request.caller);
    return inserted.status();
  }
  // Two calls with one request id raced, and the other was first.
  if (!inserted->created) return AnswerRepeat(inserted->job, request, job.edit);

  CrashPoint("submit.committed");
  if (inserted->transition) deps_.hub.Publish(inserted->job, *inserted->transition);
  if (listener_ != nullptr) listener_->OnSubmitted(inserted->job);
  return Snapshot(std::move(inserted->job));
}

// The store may have committed although it could not say so: watchers are told what it has.
void JobService::RefreshAfter(const absl::Status& status, const std::string& caller) {
  if (absl::IsUnavailable(status)) deps_.hub.Refresh(caller);
}

// Before the job is there: the engine keeps the sources of jobs that it has seen, and a source that
// is about to expire could be swept in between. While the job lives the engine goes on.
absl::Status JobService::KeepSource(const std::string& caller, const ResolvedSource& resolved) {
  const absl::Time until = deps_.clock.Now() + source_kept_;
  if (resolved.expire_time > until - kNearEnough) return absl::OkStatus();
  return deps_.sources.KeepUntil(caller, std::get<StoredSource>(resolved.source).source_id, until);
}

absl::StatusOr<Edit> JobService::StoreInline(const SubmitRequest& request,
                                             const std::string& job_id, absl::Duration length) {
  Edit edit = request.edit;
  SourceInfo info;
  info.caller = request.caller;
  info.id = job_id;  // random, and so found again from the job
  info.media_type = request.inline_source->media_type;
  info.size_bytes = static_cast<std::int64_t>(request.inline_source->data.size());
  info.sha256 = Sha256Hex(request.inline_source->data);
  info.expire_time = deps_.clock.Now() + source_kept_;
  if (auto opened = deps_.sources.Open(info); !opened.ok()) return opened.status();
  if (auto added = deps_.sources.Append(info.caller, info.id, 0, request.inline_source->data);
      !added.ok()) {
    return added;
  }
  auto finished = deps_.sources.Finish(info.caller, info.id, length);
  if (!finished.ok()) return finished.status();
  edit.source = StoredSource{.source_id = info.id,
                             .media_type = info.media_type,
                             .sha256 = info.sha256,
                             .size_bytes = info.size_bytes,
                             .was_inline = true};
  return edit;
}

absl::StatusOr<JobSnapshot> JobService::AnswerRepeat(const Job& job, const SubmitRequest& request,
                                                     const Edit& edit) {
  const std::vector<std::string> differing =
      DifferingFields(job.edit, job.options, edit, request.options);
  if (differing.empty()) return Snapshot(job);
  ErrorDetail detail;
  detail.reason = ErrorReason::kRequestIdReused;
  detail.metadata["job_id"] = job.id;
  detail.metadata["differing_fields"] = absl::StrJoin(differing, ",");
  return MakeError(absl::StatusCode::kAlreadyExists, std::move(detail),
                   absl::StrCat("request_id was used for another request; these fields differ: ",
                                absl::StrJoin(differing, ", ")));
}

void JobService::Get(std::string caller, std::string job_id, Reply<JobSnapshot> reply) {
  Run(std::move(reply),
      [this, caller = std::move(caller),
       job_id = std::move(job_id)]() -> absl::StatusOr<JobSnapshot> {
        auto job = deps_.store.Get(caller, job_id);
        if (!job.ok()) return job.status();
        return Snapshot(*std::move(job));
      });
}

void JobService::List(std::string caller, JobFilter filter, std::optional<JobCursor> after,
                      int limit, Reply<SnapshotPage> reply) {
  Run(std::move(reply),
      [this, caller = std::move(caller), filter = std::move(filter), after = std::move(after),
       limit]() -> absl::StatusOr<SnapshotPage> {
        SnapshotPage answer;
        auto store_id = deps_.store.GetSetting("store_id");
        if (!store_id.ok()) return store_id.status();
        answer.store_id = *std::move(store_id);
        // Before the page: what is committed in between then comes with the watch as well.
        auto change = deps_.store.NewestChange(caller);
        if (!change.ok()) return change.status();
        answer.change = *change;
        auto page = deps_.store.List(caller, filter, after, limit);
        if (!page.ok()) return page.status();
        answer.has_more = page->has_more;
        for (Job& job : page->jobs) answer.jobs.push_back(Snapshot(std::move(job)));
        return answer;
      });
}

void JobService::Cancel(std::string caller, std::string job_id, std::string actor,
                        Reply<CancelAnswer> reply) {
  Run(std::move(reply), [this, caller = std::move(caller), job_id = std::move(job_id),
                         actor = std::move(actor)] { return CancelNow(caller, job_id, actor); });
}

absl::StatusOr<CancelAnswer> JobService::CancelNow(const std::string& caller,
                                                   const std::string& job_id,
                                                   const std::string& actor) {
  // The caller's right to the job is judged first, so that a foreign id reads as a missing one.
  if (auto own = deps_.store.Get(caller, job_id); !own.ok()) return own.status();
  const absl::Time now = deps_.clock.Now();
  CancelResult result = CancelResult::kNone;
  auto change = deps_.store.Update(
      job_id, nullptr, [&](const JobView& view) -> absl::StatusOr<std::optional<Decision>> {
        CancelVerdict verdict = DecideCancel(view.job, actor, now);
        result = verdict.result;
        return std::move(verdict.decision);
      });
  if (!change.ok()) {
    RefreshAfter(change.status(), caller);
    return change.status();
  }
  if (change->transition) deps_.hub.Publish(change->job, *change->transition);
  if (listener_ != nullptr) listener_->OnChanged(change->job);
  return CancelAnswer{result, Snapshot(std::move(change->job))};
}

void JobService::Watch(std::string caller, std::string job_id, int after_sequence,
                       std::weak_ptr<Watcher> watcher, Reply<WatchStart> reply) {
  Run(std::move(reply),
      [this, caller = std::move(caller), job_id = std::move(job_id), after_sequence,
       watcher = std::move(watcher)]() -> absl::StatusOr<WatchStart> {
        auto own = deps_.store.Get(caller, job_id);
        if (!own.ok()) return own.status();
        if (after_sequence > own->sequence) return OutOfRange(after_sequence, own->sequence);
        auto feed = deps_.hub.Open(caller, job_id, watcher);
        if (!feed.ok()) return feed.status();
        // Read after registering: every later transition reaches the feed by publication.
        auto job = deps_.store.Get(caller, job_id);
        if (!job.ok()) return job.status();
        return WatchStart{Snapshot(*std::move(job)), *std::move(feed)};
      });
}

void JobService::History(std::string caller, std::string job_id, int after_sequence, int limit,
                         Reply<JobHistory> reply) {
  Run(std::move(reply),
      [this, caller = std::move(caller), job_id = std::move(job_id), after_sequence,
       limit]() -> absl::StatusOr<JobHistory> {
        auto job = deps_.store.Get(caller, job_id);
        if (!job.ok()) return job.status();
        auto transitions = deps_.store.Transitions(caller, job_id, after_sequence, limit);
        if (!transitions.ok()) return transitions.status();
        // What was committed between the two readings is for the next call.
        while (!transitions->empty() && transitions->back().sequence > job->sequence) {
          transitions->pop_back();
        }
        return JobHistory{Snapshot(*std::move(job)), *std::move(transitions)};
      });
}

}  // namespace lumaedit
