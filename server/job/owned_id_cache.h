// Upstream ids that are known to be owned by some job: enough to stop the reading of a fat record
// at its id. What is not in it may be owned all the same: the store is the judge.
//
// Bounded: the oldest are forgotten. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>

namespace lumaedit {

class OwnedIdCache {
 public:
  explicit OwnedIdCache(std::size_t most = 50'000) : most_(most) {}

  void Add(const std::string& upstream_id);
  bool Contains(const std::string& upstream_id) const { return ids_.contains(upstream_id); }

 private:
  const std::size_t most_;
  std::unordered_set<std::string> ids_;
  std::deque<std::string> order_;
};

}  // namespace lumaedit
