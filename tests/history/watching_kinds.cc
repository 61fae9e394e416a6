// The three ways to watch: WatchJob, WatchJobs, WaitJob.
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/history/watching.h"

namespace lumaedit {
namespace {

// One stream. Deletes itself when gRPC is done with it.
template <typename Response>
class Stream final : public grpc::ClientReadReactor<Response> {
 public:
  struct Owner {
    virtual ~Owner() = default;
    virtual void Take(const Response& message) = 0;
    virtual void Rest(std::function<void()> next) = 0;
    virtual void End(const grpc::Status& status) = 0;
  };
  explicit Stream(std::shared_ptr<Owner> owner) : owner_(std::move(owner)) {}

  void Begin(bool reads) {
    if (reads) {
      // Held while a slow reader rests, which is outside of any reaction.
      this->AddHold();
      this->StartRead(&message_);
    }
    this->StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      this->RemoveHold();
      return;
    }
    owner_->Take(message_);
    owner_->Rest([this] { this->StartRead(&message_); });
  }
  void OnDone(const grpc::Status& status) override {
    owner_->End(status);
    delete this;
  }

 private:
  const std::shared_ptr<Owner> owner_;
  Response message_;
};

class JobWatching final : public Watching, public Stream<v1::WatchJobResponse>::Owner {
 public:
  JobWatching(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub, int number,
              Behaviour behaviour, std::string job_id)
      : Watching(crowd, std::move(stub), number, "job", behaviour), job_id_(std::move(job_id)) {}

 private:
  void Open(grpc::ClientContext* context) override {
    request_.set_job_id(job_id_);
    request_.set_after_sequence(last_);
    std::shared_ptr<Owner> owner(shared_from_this(), this);
    auto* stream = new Stream<v1::WatchJobResponse>(std::move(owner));
    stub().async()->WatchJob(context, &request_, stream);
    stream->Begin(reads());
  }
  std::string Position() const override { return absl::StrCat(last_); }
  bool IsWhole() const override { return whole_; }

  void Take(const v1::WatchJobResponse& message) override {
    if (message.has_caught_up()) OnCaughtUp(job_id_, message.caught_up().job().sequence());
    if (!message.has_transition()) return;
    last_ = message.transition().sequence();
    over_ = IsFinalState(message.transition().state());
    OnTransition(job_id_, message.transition(), "-");
  }
  void Rest(std::function<void()> next) override { BeforeNextRead(std::move(next)); }
  void End(const grpc::Status& status) override {
    whole_ = over_ && status.ok();
    OnEnd(status);
  }

  const std::string job_id_;
  v1::WatchJobRequest request_;
  int last_ = 0;
  bool over_ = false;
  bool whole_ = false;
};

class JobsWatching final : public Watching, public Stream<v1::WatchJobsResponse>::Owner {
 public:
  JobsWatching(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub, int number,
               Behaviour behaviour, std::string token, int jobs)
      : Watching(crowd, std::move(stub), number, "jobs", behaviour),
        token_(std::move(token)),
        jobs_(static_cast<std::size_t>(jobs)) {}

 private:
  void Open(grpc::ClientContext* context) override {
    request_.set_resume_token(token_);
    std::shared_ptr<Owner> owner(shared_from_this(), this);
    auto* stream = new Stream<v1::WatchJobsResponse>(std::move(owner));
    stub().async()->WatchJobs(context, &request_, stream);
    stream->Begin(reads());
  }
  std::string Position() const override { return token_; }
  bool IsWhole() const override { return ended_.size() >= jobs_; }

  void Take(const v1::WatchJobsResponse& message) override {
    token_ = message.resume_token();
    if (message.has_caught_up()) OnCaughtUp("-", 0);
    if (!message.has_transition()) return;
    if (IsFinalState(message.transition().state())) ended_.insert(message.job_id());
    OnTransition(message.job_id(), message.transition(), token_);
    if (IsWhole()) Cancel();
  }
  void Rest(std::function<void()> next) override { BeforeNextRead(std::move(next)); }
  void End(const grpc::Status& status) override { OnEnd(status); }

  v1::WatchJobsRequest request_;
  std::string token_;
  const std::size_t jobs_;
  std::set<std::string> ended_;
};

class JobWait final : public Watching {
 public:
  JobWait(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub, int number,
          Behaviour behaviour, std::string job_id)
      : Watching(crowd, std::move(stub), number, "wait", behaviour), job_id_(std::move(job_id)) {}

 private:
  void Open(grpc::ClientContext* context) override {
    request_.set_job_id(job_id_);
    request_.set_after_sequence(last_);
    request_.set_until_terminal(crowd().Random() < 0.3);
    request_.mutable_wait()->set_seconds(1 + static_cast<int>(crowd().Random() * 5));
    response_.Clear();
    auto self = shared_from_this();
    stub().async()->WaitJob(context, &request_, &response_, [this, self](grpc::Status status) {
      if (!status.ok()) {
        OnEnd(status);
        return;
      }
      for (const v1::Transition& transition : response_.transitions()) {
        last_ = transition.sequence();
        OnTransition(job_id_, transition, "-");
      }
      const v1::Job& job = response_.job();
      whole_ = IsFinalState(job.state()) && job.sequence() == last_;
      BeforeNextRead([this, self, status] { OnEnd(status); });
    });
    BreakSoon();
  }
  std::string Position() const override { return absl::StrCat(last_); }
  bool IsWhole() const override { return whole_; }

  const std::string job_id_;
  v1::WaitJobRequest request_;
  v1::WaitJobResponse response_;
  int last_ = 0;
  bool whole_ = false;
};

}  // namespace

std::shared_ptr<Watching> MakeJobWatching(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub,
                                          int number, Behaviour behaviour, std::string job_id) {
  return std::make_shared<JobWatching>(crowd, std::move(stub), number, behaviour,
                                       std::move(job_id));
}

std::shared_ptr<Watching> MakeJobWait(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub,
                                      int number, Behaviour behaviour, std::string job_id) {
  return std::make_shared<JobWait>(crowd, std::move(stub), number, behaviour, std::move(job_id));
}

std::shared_ptr<Watching> MakeJobsWatching(Crowd& crowd,
                                           std::shared_ptr<v1::EditService::Stub> stub, int number,
                                           Behaviour behaviour, std::string token, int jobs) {
  return std::make_shared<JobsWatching>(crowd, std::move(stub), number, behaviour, std::move(token),
                                        jobs);
}

}  // namespace lumaedit
