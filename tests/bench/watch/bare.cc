// The limit: a gRPC callback server that keeps a list of streams, and writes one shared buffer to
// each of them from one thread. The product's listener settings and message bytes.
#include <grpcpp/grpcpp.h>

#include <mutex>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/worker.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/message_bytes.h"
#include "server/rpc/transition_encoder.h"
#include "tests/bench/watch/side.h"

namespace lumaedit::bench {
namespace {

using RawService = v1::EditService::WithRawCallbackMethod_WatchJob<v1::EditService::Service>;

class BareStream;

class BareService final : public RawService {
 public:
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchJob(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request) override;
  void WriteToAll(const std::shared_ptr<const grpc::ByteBuffer>& bytes);
  void Remove(BareStream* stream) {
    const std::lock_guard lock(mutex_);
    streams_.erase(stream);
  }

 private:
  std::mutex mutex_;
  std::unordered_set<BareStream*> streams_;  // under mutex_
};

class BareStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  BareStream(BareService& service, std::shared_ptr<const grpc::ByteBuffer> first)
      : service_(service) {
    Write(std::move(first));
  }

  // A message may have reached its reader before its OnWriteDone is here: one more may wait.
  void Write(std::shared_ptr<const grpc::ByteBuffer> bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (cancelled_) return;
      if (frame_) {
        if (next_) std::abort();
        next_ = std::move(bytes);
        return;
      }
      frame_ = std::move(bytes);
    }
    StartWrite(frame_.get());
  }
  void OnWriteDone(bool ok) override {
    bool finish = false;
    bool write = false;
    {
      const std::lock_guard lock(mutex_);
      frame_ = std::move(next_);
      next_.reset();
      finish = cancelled_ || !ok;
      if (finish) frame_.reset();
      write = frame_ != nullptr;
      cancelled_ = finish;
    }
    if (write) StartWrite(frame_.get());
    if (finish) FinishOnce();
  }
  void OnCancel() override {
    bool finish = false;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      finish = !frame_;
    }
    if (finish) FinishOnce();
  }
  void OnDone() override {
    service_.Remove(this);
    delete this;
  }

 private:
  void FinishOnce() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(finished_, true)) return;
    }
    Finish(grpc::Status::CANCELLED);
  }

  BareService& service_;
  std::mutex mutex_;
  std::shared_ptr<const grpc::ByteBuffer> frame_;
  std::shared_ptr<const grpc::ByteBuffer> next_;
  bool cancelled_ = false;
  bool finished_ = false;
};

grpc::ServerWriteReactor<grpc::ByteBuffer>* BareService::WatchJob(grpc::CallbackServerContext*,
                                                                  const grpc::ByteBuffer*) {
  static const auto first = [] {
    v1::WatchJobResponse message;
    v1::Job& job = *message.mutable_caught_up()->mutable_job();
    job.set_id("3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10");
    job.set_sequence(1);
    return std::make_shared<const grpc::ByteBuffer>(SerializeMessage(message));
  }();
  auto* stream = new BareStream(*this, first);
  const std::lock_guard lock(mutex_);
  streams_.insert(stream);
  return stream;
}

void BareService::WriteToAll(const std::shared_ptr<const grpc::ByteBuffer>& bytes) {
  std::vector<BareStream*> all;
  {
    const std::lock_guard lock(mutex_);
    all.assign(streams_.begin(), streams_.end());
  }
  for (BareStream* stream : all) stream->Write(bytes);
}

class Bare final : public Side {
 public:
  Bare() {
    const ServerSettings settings;
    grpc::ServerBuilder builder;
    for (const auto& [name, value] : ChannelArguments(settings)) {
      builder.AddChannelArgument(name, value);
    }
    builder.AddListeningPort(settings.listen, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~Bare() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const override { return absl::StrCat("127.0.0.1:", port_); }
  std::string NewJob() override { return "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10"; }

  Moved Move(const std::string& job_id) override {
    Transition transition;
    transition.sequence = ++sequence_;
    transition.previous_state = JobState::kPending;
    transition.state = JobState::kSubmitting;
    transition.record_time = absl::Now();
    transition.charge.amount = {720'000, 4'320'000};
    const std::int64_t time = Now();
    Send(TransitionEncoder::Frame(encoder_.Encode(job_id, transition)));
    return {sequence_, time};
  }
  Moved End(const std::string& job_id) override { return Move(job_id); }
  void Beat() override {
    v1::WatchJobResponse message;
    message.mutable_heartbeat();
    Send(std::make_shared<const grpc::ByteBuffer>(SerializeMessage(message)));
  }

 private:
  void Send(std::shared_ptr<const grpc::ByteBuffer> bytes) {
    fan_out_.Post([this, bytes = std::move(bytes)] { service_.WriteToAll(bytes); });
  }

  TransitionEncoder encoder_;
  BareService service_;
  int port_ = 0;
  int sequence_ = 1;
  std::unique_ptr<grpc::Server> server_;
  ThreadWorker fan_out_{"fan-out", 1, 1 << 20};
};

}  // namespace

std::unique_ptr<Side> MakeBare() { return std::make_unique<Bare>(); }

}  // namespace lumaedit::bench
