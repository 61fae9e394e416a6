// One watcher of a Crowd: its streams or polls, one after the other.
//
// The crowd owns it until it is gone. Its reactions come one at a time, but for Leave, which may
// come from any thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "tests/history/crowd.h"

namespace lumaedit {

class Watching : public std::enable_shared_from_this<Watching> {
 public:
  Watching(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub, int number, const char* kind,
           Behaviour behaviour);
  virtual ~Watching() = default;

  void Begin();
  // Ends its present call; it opens no other.
  void Leave();

 protected:
  // Makes one call with `context`; OnEnd is owed for it.
  virtual void Open(grpc::ClientContext* context) = 0;
  // What the next call begins after.
  virtual std::string Position() const = 0;
  // Whether it has all it wanted.
  virtual bool IsWhole() const = 0;

  void OnTransition(const std::string& job_id, const v1::Transition& transition,
                    const std::string& token);
  void OnCaughtUp(const std::string& job_id, int sequence);
  void OnEnd(const grpc::Status& status);

  // Runs `next` at once, or when this reader has rested.
  void BeforeNextRead(std::function<void()> next);
  bool reads() const { return behaviour_ != Behaviour::kNeverReading; }
  bool breaks() const {
    return behaviour_ == Behaviour::kReconnecting || behaviour_ == Behaviour::kLeaving;
  }
  v1::EditService::Stub& stub() { return *stub_; }
  Crowd& crowd() { return crowd_; }
  void Cancel();
  // For a call that cannot break in its middle by what it reads: those that come and go are
  // cancelled before long.
  void BreakSoon();

 private:
  void OpenNext();
  void After(double seconds, std::function<void()> next);
  void Finish();

  Crowd& crowd_;
  const std::shared_ptr<v1::EditService::Stub> stub_;
  const int number_;
  const std::string kind_;
  const Behaviour behaviour_;
  int stream_ = 0;
  int until_break_ = -1;            // transitions; -1 = no break
  std::atomic<bool> gone_ = false;  // a leaving one has left
  std::mutex mutex_;
  std::unique_ptr<grpc::ClientContext> context_;  // under mutex_
  bool left_ = false;                             // under mutex_
};

std::shared_ptr<Watching> MakeJobWatching(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub,
                                          int number, Behaviour behaviour, std::string job_id);
std::shared_ptr<Watching> MakeJobWait(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub,
                                      int number, Behaviour behaviour, std::string job_id);
std::shared_ptr<Watching> MakeJobsWatching(Crowd& crowd,
                                           std::shared_ptr<v1::EditService::Stub> stub, int number,
                                           Behaviour behaviour, std::string token, int jobs);

bool IsFinalState(v1::Job::State state);

}  // namespace lumaedit
