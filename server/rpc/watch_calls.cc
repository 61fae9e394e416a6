// The calls of GrpcEditService that tell: WatchJob, WatchJobs, WaitJob.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/job/validation.h"
#include "server/rpc/edit_service.h"
#include "server/rpc/from_proto.h"
#include "server/rpc/jobs_watch_reactor.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/wait_call.h"
#include "server/rpc/watch_reactor.h"
#include "server/rpc/watch_token.h"

namespace lumaedit {
namespace {

// protocol.md section 6.
constexpr int kMostJobIds = 1000;

template <typename Message>
void CheckSequence(const Message& message, std::vector<Violation>& violations) {
  if (message.after_sequence() < 0) {
    violations.push_back({"after_sequence", "must be at least 0"});
  }
}

template <typename Message>
absl::Duration HeartbeatOf(const Message& message, const RpcSettings& settings,
                           std::vector<Violation>& violations) {
  if (!message.has_heartbeat_interval()) return settings.usual_heartbeat;
  const absl::Duration interval = DurationFromProto(message.heartbeat_interval());
  if (interval < settings.least_heartbeat || interval > settings.most_heartbeat) {
    violations.push_back({"heartbeat_interval",
                          absl::StrCat("must be ", absl::FormatDuration(settings.least_heartbeat),
                                       " to ", absl::FormatDuration(settings.most_heartbeat))});
  }
  return interval;
}

JobsFilter FilterOf(const v1::WatchJobsRequest& message, std::vector<Violation>& violations) {
  JobsFilter filter;
  filter.labels = {message.labels().begin(), message.labels().end()};
  for (Violation& violation : ValidateLabels(filter.labels, "labels")) {
    violations.push_back(std::move(violation));
  }
  if (message.job_ids_size() > kMostJobIds) {
    violations.push_back({"job_ids", absl::StrCat("must be at most ", kMostJobIds)});
    return filter;
  }
  filter.job_ids = {message.job_ids().begin(), message.job_ids().end()};
  std::sort(filter.job_ids.begin(), filter.job_ids.end());
  filter.job_ids.erase(std::unique(filter.job_ids.begin(), filter.job_ids.end()),
                       filter.job_ids.end());
  if (!filter.job_ids.empty() && filter.job_ids.front().empty()) {
    violations.push_back({"job_ids", "must not have an empty one"});
  }
  // They are held as long as the stream lives.
  if (std::any_of(filter.job_ids.begin(), filter.job_ids.end(),
                  [](const std::string& id) { return id.size() > kLongestJobId; })) {
    violations.push_back({"job_ids", "must not have one longer than the id of any job"});
  }
  if (!filter.job_ids.empty() && !filter.labels.empty()) {
    violations.push_back({"labels", "cannot be given together with job_ids"});
  }
  return filter;
}

std::optional<StorePosition> PositionOf(const std::string& token, const std::string& filter_hash,
                                        std::vector<Violation>& violations) {
  if (token.empty()) return std::nullopt;
  auto read = ReadWatchToken(token);
  if (!read) {
    violations.push_back({"resume_token", "is malformed"});
    return std::nullopt;
  }
  if (read->filter_hash != filter_hash && read->filter_hash != kAnyFilter) {
    violations.push_back({"resume_token", "belongs to a watch with another filter"});
  }
  return std::move(read->position);
}

}  // namespace

StreamReactor::Times GrpcEditService::StreamTimes(absl::Duration heartbeat) {
  return {heartbeat, streams_.SpreadAge(settings_.stream_age), settings_.stalled_write};
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* GrpcEditService::RefuseWatch(
    const absl::Status& status) {
  refusals_.Count(status);
  return new RefusedStream(status);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* GrpcEditService::StartStream(
    const std::shared_ptr<StreamReactor>& reactor, const grpc::CallbackServerContext& context,
    const std::string& caller) {
  // The peer's address and port name the connection.
  if (absl::Status added = streams_.Add(reactor, {context.peer(), caller}); !added.ok()) {
    return RefuseWatch(added);
  }
  reactor->Start();
  return reactor.get();
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* GrpcEditService::WatchJob(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto caller = Authenticate(*context);
  if (!caller.ok()) return RefuseWatch(caller.status());
  v1::WatchJobRequest message;
  if (!ParseMessage(*request, message)) return RefuseWatch(Malformed());
  std::vector<Violation> violations = CheckJobId(message.job_id());
  CheckSequence(message, violations);
  const absl::Duration heartbeat = HeartbeatOf(message, settings_, violations);
  if (!violations.empty()) return RefuseWatch(InvalidFields(std::move(violations)));

  WatchReactor::Request watch;
  watch.caller = caller->caller;
  watch.job_id = message.job_id();
  watch.after_sequence = message.after_sequence();
  return StartStream(
      std::make_shared<WatchReactor>(WatchReactor::Deps{deps_.jobs, deps_.hub},
                                     StreamReactor::Shared{streams_, deps_.clock, deps_.log},
                                     std::move(watch), StreamTimes(heartbeat), context),
      *context, caller->caller);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* GrpcEditService::WatchJobs(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto caller = Authenticate(*context);
  if (!caller.ok()) return RefuseWatch(caller.status());
  v1::WatchJobsRequest message;
  if (!ParseMessage(*request, message)) return RefuseWatch(Malformed());
  std::vector<Violation> violations;
  JobsWatchReactor::Request watch;
  auto filter = std::make_shared<const JobsFilter>(FilterOf(message, violations));
  watch.filter_hash = WatchFilterHash(caller->caller, *filter);
  watch.filter = std::move(filter);
  watch.from = PositionOf(message.resume_token(), watch.filter_hash, violations);
  const absl::Duration heartbeat = HeartbeatOf(message, settings_, violations);
  if (!violations.empty()) return RefuseWatch(InvalidFields(std::move(violations)));

  watch.caller = caller->caller;
  return StartStream(std::make_shared<JobsWatchReactor>(
                         deps_.hub, StreamReactor::Shared{streams_, deps_.clock, deps_.log},
                         std::move(watch), StreamTimes(heartbeat), context),
                     *context, caller->caller);
}

grpc::ServerUnaryReactor* GrpcEditService::WaitJob(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  const auto refuse = [&](const absl::Status& status) {
    const Call call{"WaitJob", context->DefaultReactor(), response};
    Refuse(call, status);
    return call.reactor;
  };
  auto caller = Authenticate(*context);
  if (!caller.ok()) return refuse(caller.status());
  v1::WaitJobRequest message;
  if (!ParseMessage(*request, message)) return refuse(Malformed());
  std::vector<Violation> violations = CheckJobId(message.job_id());
  CheckSequence(message, violations);
  absl::Duration wait = settings_.usual_wait;
  if (message.has_wait()) {
    wait = DurationFromProto(message.wait());
    if (wait <= absl::ZeroDuration() || wait > settings_.most_wait) {
      violations.push_back({"wait", absl::StrCat("must be above 0 and at most ",
                                                 absl::FormatDuration(settings_.most_wait))});
    }
  }
  if (!violations.empty()) return refuse(InvalidFields(std::move(violations)));

  auto reactor = std::make_shared<WaitCall>(
      WaitCall::Deps{deps_.jobs, deps_.hub, streams_, deps_.clock, deps_.log},
      WaitCall::Request{caller->caller, message.job_id(), message.after_sequence(),
                        message.until_terminal(), wait},
      response);
  if (absl::Status added = streams_.Add(reactor, {context->peer(), caller->caller}); !added.ok()) {
    return refuse(added);
  }
  reactor->Start();
  return reactor.get();
}

}  // namespace lumaedit
