// What a person may decide about a HELD job (protocol.md section 4). Pure functions: a decision may
// be asked for again inside a repeated transaction. Any thread.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/job/job_store.h"
#include "server/job/upstream.h"

namespace lumaedit {

struct Resolution {
  std::string adopt_upstream_id;  // empty: abandon
  int expected_sequence = 0;      // the job's, as the person saw it
  std::string actor;              // who decides
  bool any_id = false;            // an admin may adopt more than the job's candidates

  bool abandons() const { return adopt_upstream_id.empty(); }
};

// May it be done to the job as it is? ABORTED kStateChanged (metadata "sequence");
// FAILED_PRECONDITION kNotHeld; INVALID_ARGUMENT kNotACandidate.
absl::Status CheckResolution(const Job& job, const Resolution& resolution);

struct ResolveInput {
  absl::Time now;
  // The id that an accepted fact names is owned by another job: the fact says nothing about this
  // one.
  bool distrust_accepted = false;
};

// ABORTED kStateChanged also where an answer came meanwhile that decides by itself: the person did
// not know of it.
absl::StatusOr<std::optional<Decision>> DecideAdoption(const JobView& view,
                                                       const Resolution& resolution,
                                                       const UpstreamRecord& record,
                                                       HandBinding by_hand,
                                                       const ResolveInput& input);

// The job ends FAILED kSubmissionUnresolved. Its attempt goes on competing for records.
absl::StatusOr<std::optional<Decision>> DecideAbandonment(const JobView& view,
                                                          const Resolution& resolution,
                                                          const ResolveInput& input);

// How sure it is that `record` is no other attempt's. `echo_seen`: the record was read with its
// echo.
HandBinding HandBindingFor(const UpstreamRecord& record, bool echo_seen, const Attempt& attempt);

}  // namespace lumaedit
