#include "tests/history/watching.h"

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace lumaedit {
namespace {

constexpr int kMostUntilBreak = 12;  // transitions
constexpr double kMostPause = 0.15;  // seconds between two calls

const char* NameOf(Behaviour behaviour) {
  switch (behaviour) {
    case Behaviour::kSteady:
      return "steady";
    case Behaviour::kSlow:
      return "slow";
    case Behaviour::kReconnecting:
      return "reconnecting";
    case Behaviour::kLeaving:
      return "leaving";
    case Behaviour::kNeverReading:
      break;
  }
  return "never_reading";
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status trailer;
  if (trailer.ParseFromString(status.error_details())) {
    for (const auto& any : trailer.details()) {
      google::rpc::ErrorInfo info;
      if (any.UnpackTo(&info)) return info.reason();
    }
  }
  return "-";
}

}  // namespace

bool IsFinalState(v1::Job::State state) {
  return state == v1::Job::STATE_SUCCEEDED || state == v1::Job::STATE_FAILED ||
         state == v1::Job::STATE_CANCELLED || state == v1::Job::STATE_EXPIRED;
}

Watching::Watching(Crowd& crowd, std::shared_ptr<v1::EditService::Stub> stub, int number,
                   const char* kind, Behaviour behaviour)
    : crowd_(crowd), stub_(std::move(stub)), number_(number), kind_(kind), behaviour_(behaviour) {}

void Watching::Begin() {
  crowd_.log().Write(absl::StrCat("W\t", number_, "\t", kind_, "\t", NameOf(behaviour_)));
  OpenNext();
}

void Watching::OpenNext() {
  grpc::ClientContext* context = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!left_) {
      context_ = std::make_unique<grpc::ClientContext>();
      // A call that waits for its connection is what keeps the connection being made.
      context_->set_wait_for_ready(true);
      context = context_.get();
    }
  }
  if (context == nullptr) {
    Finish();
    return;
  }
  until_break_ = breaks() ? static_cast<int>(crowd_.Random() * kMostUntilBreak) : -1;
  crowd_.log().Write(absl::StrCat("O\t", number_, "\t", ++stream_, "\t", Position()));
  Open(context);
}

void Watching::OnTransition(const std::string& job_id, const v1::Transition& transition,
                            const std::string& token) {
  crowd_.log().Write(absl::StrCat("T\t", number_, "\t", stream_, "\t", job_id, "\t",
                                  transition.sequence(), "\t", transition.state(), "\t",
                                  ContentOf(transition), "\t", token));
  if (until_break_ >= 0 && until_break_-- == 0) {
    if (behaviour_ == Behaviour::kLeaving) gone_ = true;
    Cancel();
  }
}

void Watching::OnCaughtUp(const std::string& job_id, int sequence) {
  crowd_.log().Write(absl::StrCat("C\t", number_, "\t", stream_, "\t", job_id, "\t", sequence));
}

void Watching::OnEnd(const grpc::Status& status) {
  crowd_.log().Write(absl::StrCat("E\t", number_, "\t", stream_, "\t",
                                  static_cast<int>(status.error_code()), "\t", ReasonOf(status)));
  if (IsWhole() || gone_) {
    Finish();
  } else {
    After(crowd_.Random() * kMostPause, [this] { OpenNext(); });
  }
}

void Watching::Finish() {
  if (IsWhole()) crowd_.log().Write(absl::StrCat("D\t", number_));
  crowd_.Done(reads() && behaviour_ != Behaviour::kLeaving);
  crowd_.Gone(this);
}

void Watching::BeforeNextRead(std::function<void()> next) {
  if (behaviour_ != Behaviour::kSlow) {
    next();
    return;
  }
  After(crowd_.Random() * absl::ToDoubleSeconds(crowd_.options().slowness), std::move(next));
}

void Watching::After(double seconds, std::function<void()> next) {
  crowd_.timers().After(seconds, [self = shared_from_this(), next = std::move(next)] { next(); });
}

void Watching::BreakSoon() {
  if (!breaks()) return;
  After(crowd_.Random() * kMostPause, [this] {
    if (behaviour_ == Behaviour::kLeaving) gone_ = true;
    Cancel();
  });
}

void Watching::Cancel() {
  const std::lock_guard lock(mutex_);
  if (context_) context_->TryCancel();
}

void Watching::Leave() {
  {
    const std::lock_guard lock(mutex_);
    left_ = true;
  }
  Cancel();
}

}  // namespace lumaedit
