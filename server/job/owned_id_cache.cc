#include "server/job/owned_id_cache.h"

namespace lumaedit {

void OwnedIdCache::Add(const std::string& upstream_id) {
  if (!ids_.insert(upstream_id).second) return;
  order_.push_back(upstream_id);
  if (order_.size() <= most_) return;
  ids_.erase(order_.front());
  order_.pop_front();
}

}  // namespace lumaedit
