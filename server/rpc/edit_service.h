// The calls of lumaedit.v1.EditService, on gRPC's callback API.
//
// Owned by `app`, destroyed after the server. Handlers run on gRPC's threads and never block: they
// authenticate, parse, validate and hand over to JobService, whose replies end the calls. Every
// method is taken raw, because gRPC answers a message that protobuf refuses with UNIMPLEMENTED and
// no text; parsed here it is INVALID_ARGUMENT kMalformedMessage.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "lumaedit/v1/edit_service.grpc.pb.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/job/authenticator.h"
#include "server/job/job_service.h"
#include "server/job/price_service.h"
#include "server/job/source_service.h"
#include "server/job/upstream_calls.h"
#include "server/job/watch_hub.h"
#include "server/rpc/refusals.h"
#include "server/rpc/rpc_settings.h"
#include "server/rpc/stream_reactor.h"
#include "server/rpc/stream_registry.h"

namespace lumaedit {

using RawEditService = v1::EditService::WithRawCallbackMethod_SubmitEdit<
    v1::EditService::WithRawCallbackMethod_GetJob<v1::EditService::WithRawCallbackMethod_ListJobs<
        v1::EditService::WithRawCallbackMethod_WatchJob<
            v1::EditService::WithRawCallbackMethod_WatchJobs<
                v1::EditService::WithRawCallbackMethod_WaitJob<
                    v1::EditService::WithRawCallbackMethod_CancelJob<
                        v1::EditService::WithRawCallbackMethod_ResolveJob<
                            v1::EditService::WithRawCallbackMethod_RefreshOutput<
                                v1::EditService::WithRawCallbackMethod_QuoteEdit<
                                    v1::EditService::WithRawCallbackMethod_UploadSource<
                                        v1::EditService::WithRawCallbackMethod_GetSource<
                                            v1::EditService::WithRawCallbackMethod_GetBudget<
                                                v1::EditService::Service>>>>>>>>>>>>>;

class GrpcEditService final : public RawEditService {
 public:
  struct Deps {
    JobService& jobs;
    PriceService& prices;
    SourceService& sources;
    WatchHub& hub;  // made with a TransitionEncoder
    const Authenticator& authenticator;
    Clock& clock;
    Random& random;
    Log& log;
    UpstreamCalls& upstream_calls;
  };
  GrpcEditService(Deps deps, RpcSettings settings);

  // Ends every watch and every upload with UNAVAILABLE kDraining and refuses new ones.
  // JobService::Drain refuses new submissions.
  void DrainStreams() {
    streams_.Drain();
    uploads_.Drain();
  }

  std::size_t open_streams() const { return streams_.size(); }
  std::size_t open_uploads() const { return uploads_.size(); }

  // Calls that were refused, since the start.
  std::map<std::string, std::int64_t> refusals() const { return refusals_.ByReason(); }

  // Watch streams that have ended, since the start.
  std::int64_t ended_streams(StreamEnd how) const { return streams_.ended(how); }

  grpc::ServerUnaryReactor* SubmitEdit(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ResolveJob(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* RefreshOutput(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  // price_calls.cc
  grpc::ServerUnaryReactor* QuoteEdit(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetBudget(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  // source_calls.cc
  grpc::ServerReadReactor<grpc::ByteBuffer>* UploadSource(grpc::CallbackServerContext* context,
                                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetSource(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  // watch_calls.cc
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchJob(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchJobs(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* WaitJob(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;

 private:
  // One unary call that is not finished yet.
  struct Call {
    const char* method;
    grpc::ServerUnaryReactor* reactor;
    grpc::ByteBuffer* response;
  };

  absl::StatusOr<CallerIdentity> Authenticate(const grpc::CallbackServerContext& context) const;
  void Refuse(const Call& call, const absl::Status& status);
  grpc::ServerWriteReactor<grpc::ByteBuffer>* RefuseWatch(const absl::Status& status);
  grpc::ServerReadReactor<grpc::ByteBuffer>* RefuseUpload(const absl::Status& status);
  template <typename Request, typename Handle>
  grpc::ServerUnaryReactor* Unary(const Call& call, const grpc::CallbackServerContext& context,
                                  const grpc::ByteBuffer& bytes, Handle handle);
  template <typename T, typename Convert>
  Reply<T> Answer(const Call& call, Convert convert);
  StreamReactor::Times StreamTimes(absl::Duration heartbeat);
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StartStream(
      const std::shared_ptr<StreamReactor>& reactor, const grpc::CallbackServerContext& context,
      const std::string& caller);

  const Deps deps_;
  const RpcSettings settings_;
  const std::shared_ptr<std::atomic<std::int64_t>> submit_bytes_ =
      std::make_shared<std::atomic<std::int64_t>>(0);
  Refusals refusals_;
  StreamRegistry streams_;
  StreamRegistry uploads_;
};

}  // namespace lumaedit
