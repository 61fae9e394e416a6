#include "records.h"

#include <utility>

namespace lumaedit::simulator {

const Step& Record::StepAt(double now) const {
  const Step* found = &steps.front();
  for (const Step& step : steps) {
    if (step.at <= now) found = &step;
  }
  return *found;
}

void Record::ForceStatus(double now, std::string status) {
  while (steps.size() > 1 && steps.back().at > now) steps.pop_back();
  steps.push_back({now, std::move(status)});
}

const Fault* Record::FindFault(const std::string& name) const {
  for (const Fault& fault : faults) {
    if (fault.name == name) return &fault;
  }
  return nullptr;
}

bool IsFinalStatus(const std::string& status) { return status == "success" || IsFailure(status); }

bool IsFailure(const std::string& status) {
  return status == "failed" || status == "cancelled" || status == "canceled";
}

Record& RecordBook::Add(std::unique_ptr<Record> record) {
  Submission& submission = record->submission;
  if (submission.raw_owner != nullptr) {
    // The whole body is kept alive by the payload that lies in it.
    if (!Reserve(submission.raw_owner->size())) {
      submission.raw_owner.reset();
      submission.raw = {};
    }
  }
  Record& added = *record;
  by_id_[added.id] = &added;
  by_generation_[added.generation_id] = &added;
  records_.push_back(std::move(record));
  return added;
}

Record* RecordBook::Find(const std::string& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Record* RecordBook::FindByGeneration(const std::string& generation_id) {
  const auto found = by_generation_.find(generation_id);
  return found == by_generation_.end() ? nullptr : found->second;
}

void RecordBook::Clear() {
  records_.clear();
  by_id_.clear();
  by_generation_.clear();
  kept_bytes_ = 0;
}

bool RecordBook::Reserve(uint64_t bytes) {
  if (bytes > echo_cap_bytes_ - kept_bytes_) return false;
  kept_bytes_ += bytes;
  return true;
}

}  // namespace lumaedit::simulator
