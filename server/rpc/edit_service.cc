#include "server/rpc/edit_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/authenticators.h"
#include "server/rpc/from_proto.h"
#include "server/rpc/page_token.h"
#include "server/rpc/status_mapper.h"
#include "server/rpc/to_proto.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/watch_token.h"

namespace lumaedit {
namespace {

// protocol.md section 8.
constexpr int kUsualPageSize = 50;
constexpr int kMostPageSize = 500;
constexpr std::size_t kMostPageBytes = 1024 * 1024;

// Takes part of a shared allowance until it is destroyed, which may be after the service that
// counts: the answer to a call is let go by the thread that gave it, when the caller has long been
// told.
class Allowance {
 public:
  Allowance(std::shared_ptr<std::atomic<std::int64_t>> used, std::int64_t amount)
      : used_(std::move(used)), amount_(amount), total_(used_->fetch_add(amount) + amount) {}
  Allowance(Allowance&& other) noexcept = default;
  Allowance& operator=(Allowance&&) = delete;
  ~Allowance() {
    if (used_ != nullptr) used_->fetch_sub(amount_);
  }
  std::int64_t total() const { return total_; }

 private:
  std::shared_ptr<std::atomic<std::int64_t>> used_;
  std::int64_t amount_;
  std::int64_t total_;
};

v1::ListJobsResponse PageToProto(const SnapshotPage& page, const JobFilter& filter) {
  v1::ListJobsResponse out;
  out.set_watch_token(MakeWatchToken({page.store_id, page.change}, kAnyFilter));
  std::size_t bytes = 0;
  std::size_t shown = 0;
  for (const JobSnapshot& snapshot : page.jobs) {
    v1::Job job = JobToProto(snapshot);
    bytes += job.ByteSizeLong();
    if (shown > 0 && bytes > kMostPageBytes) break;
    *out.add_jobs() = std::move(job);
    ++shown;
  }
  if (shown > 0 && (page.has_more || shown < page.jobs.size())) {
    const Job& last = page.jobs[shown - 1].job;
    out.set_next_page_token(MakePageToken({last.create_time, last.id}, filter));
  }
  return out;
}

}  // namespace

GrpcEditService::GrpcEditService(Deps deps, RpcSettings settings)
    : deps_(deps),
      settings_(settings),
      streams_({.tick = settings.tick,
                .retry_spread = settings.retry_spread,
                .most_streams = settings.most_watches,
                .limits = {{settings.watches_per_connection, "connection",
                            "use another one, or end some"},
                           {settings.watches_per_caller, "caller", "end some"}},
                .kind = "watches",
                .at_limit = ErrorReason::kTooManyWatches},
               deps.clock, deps.random),
      uploads_({.tick = settings.tick,
                .retry_spread = settings.retry_spread,
                .most_streams = settings.most_uploads,
                .limits = {{settings.uploads_per_caller, "caller", "wait for one to end"}},
                .kind = "uploads",
                .at_limit = ErrorReason::kOverloaded},
               deps.clock, deps.random) {}

absl::StatusOr<CallerIdentity> GrpcEditService::Authenticate(
    const grpc::CallbackServerContext& context) const {
  return deps_.authenticator.Authenticate(PeerOf(context));
}

void GrpcEditService::Refuse(const Call& call, const absl::Status& status) {
  refusals_.Count(status);
  if (IsHiddenFault(status)) {
    deps_.log.Error("call_failed",
                    {{"method", call.method}, {"error", std::string(status.message())}});
  }
  call.reactor->Finish(ToGrpcStatus(status));
}

grpc::ServerUnaryReactor* GrpcEditService::SubmitEdit(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request,
                                                      grpc::ByteBuffer* response) {
  const Call call{"SubmitEdit", context->DefaultReactor(), response};
  Allowance allowance(submit_bytes_, static_cast<std::int64_t>(request->Length()));
  if (allowance.total() > settings_.submit_bytes_in_flight) {
    ErrorDetail detail;
    detail.reason = ErrorReason::kOverloaded;
    detail.retry_after = absl::Seconds(1);
    Refuse(call, MakeError(absl::StatusCode::kResourceExhausted, std::move(detail),
                           "too many submissions are waiting to be stored"));
    return call.reactor;
  }
  return Unary<v1::SubmitEditRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::SubmitEditRequest message) {
        SubmitRequest submit = SubmitRequestFromProto(std::move(message), std::move(caller.caller));
        if (auto violations = ValidateSubmit(submit, settings_.validation); !violations.empty()) {
          Refuse(call, InvalidFields(std::move(violations)));
          return;
        }
        deps_.jobs.Submit(std::move(submit),
                          Answer<JobSnapshot>(call, [allowance = std::move(allowance)](
                                                        const JobSnapshot& snapshot) {
                            return JobToProto(snapshot);
                          }));
      });
}

grpc::ServerUnaryReactor* GrpcEditService::GetJob(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  const Call call{"GetJob", context->DefaultReactor(), response};
  return Unary<v1::GetJobRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::GetJobRequest message) {
        if (auto violations = CheckJobId(message.job_id()); !violations.empty()) {
          Refuse(call, InvalidFields(std::move(violations)));
          return;
        }
        deps_.jobs.Get(std::move(caller.caller), message.job_id(),
                       Answer<JobSnapshot>(call, JobToProto));
      });
}

grpc::ServerUnaryReactor* GrpcEditService::ListJobs(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  const Call call{"ListJobs", context->DefaultReactor(), response};
  return Unary<v1::ListJobsRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::ListJobsRequest message) {
        std::vector<Violation> violations;
        if (message.page_size() < 0) violations.push_back({"page_size", "must be at least 0"});
        std::vector<Violation> filter_violations;
        JobFilter filter = JobFilterFromProto(message, filter_violations);
        std::optional<JobCursor> after;
        if (!message.page_token().empty()) {
          after = ReadPageToken(message.page_token(), filter);
          if (!after) {
            violations.push_back(
                {"page_token", "is malformed, or belongs to a list with another filter"});
          }
        }
        violations.insert(violations.end(), filter_violations.begin(), filter_violations.end());
        if (!violations.empty()) {
          Refuse(call, InvalidFields(std::move(violations)));
          return;
        }
        const int limit = message.page_size() == 0 ? kUsualPageSize
                                                   : std::min(message.page_size(), kMostPageSize);
        deps_.jobs.List(std::move(caller.caller), filter, std::move(after), limit,
                        Answer<SnapshotPage>(call, [filter](const SnapshotPage& page) {
                          return PageToProto(page, filter);
                        }));
      });
}

grpc::ServerUnaryReactor* GrpcEditService::CancelJob(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  const Call call{"CancelJob", context->DefaultReactor(), response};
  return Unary<v1::CancelJobRequest>(
      call, *context, *request, [&](CallerIdentity caller, v1::CancelJobRequest message) {
        if (auto violations = CheckJobId(message.job_id()); !violations.empty()) {
          Refuse(call, InvalidFields(std::move(violations)));
          return;
        }
        const std::string actor = caller.caller;
        deps_.jobs.Cancel(std::move(caller.caller), message.job_id(), actor,
                          Answer<CancelAnswer>(call, CancelToProto));
      });
}

}  // namespace lumaedit
