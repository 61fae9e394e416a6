// Reads the upstream's list for those who look for lost POSTs: page after page, back to a time, or
// record by record where echoes hold whole videos (protocol.md section 4).
//
// Owned by Reconciler; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "server/job/engine_context.h"
#include "server/job/fit_rules.h"
#include "server/job/list_order.h"
#include "server/job/owned_id_cache.h"

namespace lumaedit {

class PassReader {
 public:
  explicit PassReader(EngineContext& context) : context_(context) {}

  // Back to `from` in the upstream's time. Failed where no key given is of this account; a key that
  // is not learned may turn out to be.
  boost::asio::awaitable<Pass> Read(std::string account, absl::Time from);

  // Until the window that begins at `from` was read whole, for the jobs in `open`.
  boost::asio::awaitable<Pass> Read(Accounts::Reader reader, absl::Time from,
                                    const std::vector<JobView>& open);

 private:
  // A page was read: which of its records are owned tells about the key, and about their times.
  boost::asio::awaitable<bool> JudgePage(const std::string& key, std::vector<UpstreamRecord> page,
                                         ListOrder& order, Pass& pass);

  EngineContext& context_;
  OwnedIdCache owned_;
  bool fat_ = false;  // the last pass met pages that are too fat to be read in full
};

}  // namespace lumaedit
