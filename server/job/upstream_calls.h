// Port: the callers' calls that have to ask the upstream first. `rpc` uses it, JobEngine has it.
//
// Each method may be called from any thread, returns at once, and gives its reply on the I/O
// thread. Common errors: NOT_FOUND kJobNotFound for a missing and for another caller's job alike;
// RESOURCE_EXHAUSTED kOverloaded when too many of these calls are under way; UNAVAILABLE kDraining.
#pragma once

#include <string>

#include "server/base/reply.h"
#include "server/job/job_snapshot.h"
#include "server/job/resolve_rule.h"

namespace lumaedit {

struct ResolveRequest {
  std::string caller;
  std::string job_id;
  Resolution resolution;
  std::string note;  // for the log
};

class UpstreamCalls {
 public:
  virtual ~UpstreamCalls() = default;

  // Adopts a candidate, or abandons the job. Errors of CheckResolution; ALREADY_EXISTS
  // kUpstreamIdOwned; FAILED_PRECONDITION kRecordFound (metadata "candidate_upstream_ids");
  // UNAVAILABLE kUpstreamUnavailable when the upstream cannot be asked now.
  virtual void Resolve(ResolveRequest request, Reply<JobSnapshot> reply) = 0;

  // Reads the record of a final job again, at most once a minute, and keeps what it says.
  // FAILED_PRECONDITION kNotAccepted; RESOURCE_EXHAUSTED kUpstreamBusy and UNAVAILABLE
  // kUpstreamUnavailable with the wait; INTERNAL when the key is refused.
  virtual void RefreshOutput(std::string caller, std::string job_id, Reply<JobSnapshot> reply) = 0;
};

}  // namespace lumaedit
