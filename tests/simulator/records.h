// The upstream's records (upstream.md section 2) and how each moves through its statuses in virtual
// time. Single-threaded.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "faults.h"
#include "submission.h"

namespace lumaedit::simulator {

// From virtual time `at` on the record has this status.
struct Step {
  double at = 0.0;
  std::string status;
};

struct Record {
  std::string id;
  std::string org;
  std::string user;
  // Key whose POST made it; empty for records made by the control interface.
  std::string key;
  Submission submission;
  double source_seconds = 0.0;
  double created = 0.0;
  std::vector<Step> steps;
  std::string generation_id;
  // Faults that stay with the record.
  std::vector<Fault> faults;

  // A POST that was accepted: it is charged, and refunded should it fail.
  bool accepted = false;
  int64_t charged_usd_micros = 0;
  bool refunded = false;

  bool by_id = true;
  bool listed = true;
  // In lists from this virtual time on.
  double visible_at = 0.0;
  // Values that the control interface forces into the record, by key.
  boost::json::object forced;

  uint64_t polls = 0;
  uint64_t list_reads = 0;
  std::optional<int64_t> last_poll_unix_ms;
  // First time an answer by id showed a final status.
  std::optional<int64_t> final_seen_unix_ms;

  const Step& StepAt(double now) const;
  const std::string& StatusAt(double now) const { return StepAt(now).status; }
  // Replaces what was planned from `now` on.
  void ForceStatus(double now, std::string status);
  const Fault* FindFault(const std::string& name) const;
};

bool IsFinalStatus(const std::string& status);
bool IsFailure(const std::string& status);

class RecordBook {
 public:
  explicit RecordBook(uint64_t echo_cap_bytes) : echo_cap_bytes_(echo_cap_bytes) {}

  // Takes the record over; drops its raw payload when the echo cap would be exceeded.
  Record& Add(std::unique_ptr<Record> record);
  Record* Find(const std::string& id);
  Record* FindByGeneration(const std::string& generation_id);
  // Oldest first.
  const std::vector<std::unique_ptr<Record>>& all() const { return records_; }
  void Clear();
  // Counts bytes kept elsewhere against the cap; false when they do not fit.
  bool Reserve(uint64_t bytes);

 private:
  uint64_t echo_cap_bytes_;
  uint64_t kept_bytes_ = 0;
  std::vector<std::unique_ptr<Record>> records_;
  std::map<std::string, Record*> by_id_;
  std::map<std::string, Record*> by_generation_;
};

}  // namespace lumaedit::simulator
