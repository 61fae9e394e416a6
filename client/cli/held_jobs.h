// The jobs that have been HELD for long, and what they may cost.
//
// Used by the main thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/client.h"

namespace lumaedit::client::cli {

struct HeldJob {
  v1::Job job;
  absl::Time since;
};

// Those of the caller that carry all of `labels` and became HELD at least `held_for` ago, newest
// first. Since when a job is held is in its history, which is read for each.
Result<std::vector<HeldJob>> FindHeld(Client& client,
                                      const std::map<std::string, std::string>& labels,
                                      absl::Duration held_for, const CallOptions& call);

// A line a job, and one with their number and money.
std::vector<std::string> HeldTable(const std::vector<HeldJob>& held);

}  // namespace lumaedit::client::cli
