#include "server/job/list_order.h"

#include <algorithm>

namespace lumaedit {

void ListOrder::Add(absl::Time earliest, absl::Time latest) {
  in_order_ = in_order_ && earliest <= oldest_;
  descends_ = descends_ || latest < newest_;
  newest_ = std::max(newest_, earliest);
  oldest_ = std::min(oldest_, latest);
}

absl::Time ListOrder::ReadBackTo() const {
  return in_order_ && descends_ ? oldest_ : absl::InfiniteFuture();
}

}  // namespace lumaedit
