#include "client/job_sequences.h"

#include <algorithm>
#include <utility>

namespace lumaedit::client {

std::optional<std::int32_t> JobSequences::Last(const std::string& job_id) const {
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return std::nullopt;
  return found->second.sequence;
}

JobSequences::Entry& JobSequences::Touch(const std::string& job_id, std::int32_t sequence) {
  Entry& entry = jobs_[job_id];
  entry.sequence = sequence;
  entry.list = list_;
  final_.erase({entry.end_time, job_id});
  shown_.erase({entry.end_time, job_id});
  entry.end_time = absl::InfiniteFuture();
  return entry;
}

void JobSequences::Set(const std::string& job_id, std::int32_t sequence) {
  Touch(job_id, sequence);
}

void JobSequences::SetFinal(const std::string& job_id, std::int32_t sequence, absl::Time end_time) {
  Touch(job_id, sequence).end_time = end_time;
  ByEnd& jobs = listing_ ? shown_ : final_;
  jobs.emplace(end_time, job_id);
  Trim(jobs);
}

void JobSequences::Trim(ByEnd& jobs) {
  while (jobs.size() > most_final_) {
    const auto oldest = jobs.begin();
    forgotten_until_ = std::max(forgotten_until_, oldest->first);
    jobs_.erase(oldest->second);
    jobs.erase(oldest);
  }
}

void JobSequences::BeginList() {
  if (!listing_) forgotten_before_list_ = forgotten_until_;
  listing_ = true;
  ++list_;
  final_.merge(shown_);
  Trim(final_);
}

void JobSequences::EndList() {
  listing_ = false;
  std::erase_if(jobs_, [this](const auto& job) { return job.second.list != list_; });
  final_ = std::exchange(shown_, {});
}

}  // namespace lumaedit::client
