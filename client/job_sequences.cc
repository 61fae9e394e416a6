#include "client/job_sequences.h"

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
  return entry;
}

void JobSequences::Set(const std::string& job_id, std::int32_t sequence) {
  Touch(job_id, sequence);
}

void JobSequences::SetFinal(const std::string& job_id, std::int32_t sequence, absl::Time end_time) {
  Entry& entry = Touch(job_id, sequence);
  final_.erase({entry.end_time, job_id});
  entry.end_time = end_time;
  final_.emplace(end_time, job_id);
  while (final_.size() > most_final_) ForgetOldest();
}

void JobSequences::ForgetOldest() {
  const auto oldest = final_.begin();
  if (oldest->first > forgotten_until_) forgotten_until_ = oldest->first;
  jobs_.erase(oldest->second);
  final_.erase(oldest);
}

void JobSequences::EndList() {
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    if (it->second.list == list_) {
      ++it;
      continue;
    }
    final_.erase({it->second.end_time, it->first});
    it = jobs_.erase(it);
  }
}

}  // namespace lumaedit::client
