#include "tests/history/crowd.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tests/history/watching.h"

namespace lumaedit {

Crowd::Crowd(CrowdOptions options, HistoryLog& log)
    : options_(std::move(options)), log_(log), random_(options_.seed) {
  for (int n = 0; n < options_.connections; ++n) stubs_.push_back(Stub());
}

Crowd::~Crowd() { Leave(); }

std::unique_ptr<v1::EditService::Stub> Crowd::Stub() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  return v1::EditService::NewStub(
      grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(), arguments));
}

Behaviour Crowd::DrawBehaviour(bool hostile) {
  const double draw = Random();
  if (draw < 0.1) return Behaviour::kSlow;
  if (draw < 0.2) return Behaviour::kReconnecting;
  if (hostile && draw < 0.25) return Behaviour::kLeaving;
  if (hostile && draw < 0.3) return Behaviour::kNeverReading;
  return Behaviour::kSteady;
}

std::shared_ptr<v1::EditService::Stub> Crowd::NextStub() {
  const std::lock_guard lock(mutex_);
  return stubs_[static_cast<std::size_t>(++number_) % stubs_.size()];
}

void Crowd::AddJobWatch(const std::string& job_id, Behaviour behaviour) {
  auto stub = NextStub();
  Start(MakeJobWatching(*this, std::move(stub), number_, behaviour, job_id),
        behaviour != Behaviour::kLeaving && behaviour != Behaviour::kNeverReading);
}

void Crowd::AddJobWait(const std::string& job_id, Behaviour behaviour) {
  if (behaviour == Behaviour::kNeverReading) behaviour = Behaviour::kSteady;
  auto stub = NextStub();
  Start(MakeJobWait(*this, std::move(stub), number_, behaviour, job_id),
        behaviour != Behaviour::kLeaving && behaviour != Behaviour::kNeverReading);
}

void Crowd::AddJobsWatch(const std::string& token, int jobs, Behaviour behaviour) {
  auto stub = NextStub();
  Start(MakeJobsWatching(*this, std::move(stub), number_, behaviour, token, jobs),
        behaviour != Behaviour::kLeaving && behaviour != Behaviour::kNeverReading);
}

void Crowd::Start(std::shared_ptr<Watching> watching, bool awaited) {
  {
    const std::lock_guard lock(mutex_);
    running_.push_back(watching);
    if (awaited) ++awaited_;
  }
  watching->Begin();
}

double Crowd::Random() {
  const std::lock_guard lock(mutex_);
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

void Crowd::Done(bool awaited) {
  const std::lock_guard lock(mutex_);
  if (awaited) --awaited_;
  changed_.notify_all();
}

void Crowd::Gone(Watching* watching) {
  const std::lock_guard lock(mutex_);
  std::erase_if(running_, [&](const auto& each) { return each.get() == watching; });
  changed_.notify_all();
}

bool Crowd::AwaitDone(absl::Duration limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, absl::ToChronoMilliseconds(limit),
                           [this] { return awaited_ == 0; });
}

void Crowd::Leave() {
  std::vector<std::shared_ptr<Watching>> all;
  {
    const std::lock_guard lock(mutex_);
    all = running_;
  }
  for (const auto& each : all) each->Leave();
  all.clear();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return running_.empty(); });
}

}  // namespace lumaedit
