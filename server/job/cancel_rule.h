// What a cancel does to a job, and to its money (protocol.md section 5). Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "server/job/job_store.h"

namespace lumaedit {

struct CancelVerdict {
  CancelResult result = CancelResult::kNone;
  std::optional<Decision> decision;
};

CancelVerdict DecideCancel(const Job& job, const std::string& actor, absl::Time now);

}  // namespace lumaedit
