// What a watch of many jobs has delivered: of each job its last sequence, in bounded memory.
//
// Jobs that are not over are all remembered: the gateway bounds them. Of the final ones those that
// ended last are, up to a number; what is forgotten ended at `forgotten_until` or before, and that
// time is enough to know such a job again when a later list shows it. It is the gateway's time:
// this machine's clock plays no part.
//
// Owned by one watch, used by its thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/time/time.h"

namespace lumaedit::client {

class JobSequences {
 public:
  // `most_final` final jobs are remembered, about 150 bytes each.
  explicit JobSequences(std::size_t most_final) : most_final_(most_final) {}

  // Unset: not known, or forgotten.
  std::optional<std::int32_t> Last(const std::string& job_id) const;

  void Set(const std::string& job_id, std::int32_t sequence);
  // The job is over since `end_time` (the record_time of its final transition is the same), and
  // nothing will follow.
  void SetFinal(const std::string& job_id, std::int32_t sequence, absl::Time end_time);

  // All that ended then or before may have been forgotten. InfinitePast: nothing was.
  absl::Time forgotten_until() const { return forgotten_until_; }

  // A list is read: jobs that are known and are set neither by it nor by a transition until EndList
  // are gone from the gateway, and are forgotten. While it is open no final job is forgotten that
  // it has yet to show, so up to twice as many are remembered. A list that broke off is begun again
  // without an EndList.
  void BeginList();
  void EndList();

  // With a list open what forgotten_until() was when it was first begun, else the same. A job of
  // the list that ended later and is not known was never shown before: what the list itself makes
  // forgotten tells nothing of what it has yet to show.
  absl::Time forgotten_before_list() const {
    return listing_ ? forgotten_before_list_ : forgotten_until_;
  }

  std::size_t size() const { return jobs_.size(); }

 private:
  struct Entry {
    std::int32_t sequence = 0;
    int list = 0;  // the last one that showed it
    absl::Time end_time = absl::InfiniteFuture();
  };

  using ByEnd = std::set<std::pair<absl::Time, std::string>>;

  Entry& Touch(const std::string& job_id, std::int32_t sequence);
  void Trim(ByEnd& jobs);

  const std::size_t most_final_;
  std::unordered_map<std::string, Entry> jobs_;
  ByEnd final_;
  ByEnd shown_;  // those that the open list has shown; in final_ otherwise
  absl::Time forgotten_until_ = absl::InfinitePast();
  absl::Time forgotten_before_list_ = absl::InfinitePast();
  bool listing_ = false;
  int list_ = 0;
};

}  // namespace lumaedit::client
