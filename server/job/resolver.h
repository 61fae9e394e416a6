// Does what a person decides about a HELD job: asks the upstream once more, then changes the job by
// a compare-and-set on its sequence, lease or no lease (protocol.md section 4, ResolveJob).
//
// Owned by JobEngine; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/job/engine_context.h"
#include "server/job/reconciler.h"
#include "server/job/upstream_calls.h"

namespace lumaedit {

class Resolver {
 public:
  Resolver(EngineContext& context, Reconciler& reconciler);

  // The job afterwards; the errors of UpstreamCalls::Resolve.
  boost::asio::awaitable<absl::StatusOr<Job>> Run(ResolveRequest request);

 private:
  struct Read {
    UpstreamRecord record;
    bool echo_seen = false;
  };

  // The caller's job with its attempts; NOT_FOUND.
  boost::asio::awaitable<absl::StatusOr<JobView>> OwnView(const ResolveRequest& request);
  // The candidate as the upstream shows it now, by id and in the list.
  boost::asio::awaitable<absl::StatusOr<Read>> ReadCandidate(std::string upstream_id,
                                                             const Attempt& attempt);
  // OK when the list shows nothing that fits.
  boost::asio::awaitable<absl::Status> CheckNothingFits(const JobView& view);
  // Of the id to be adopted and those that accepted facts name: what some job owns.
  boost::asio::awaitable<absl::StatusOr<std::vector<OwnedId>>> OwnedOf(
      const JobView& view, const Resolution& resolution);
  boost::asio::awaitable<absl::StatusOr<Job>> Write(const ResolveRequest& request,
                                                    EngineContext::OwnedDecide decide);

  EngineContext& context_;
  Reconciler& reconciler_;
};

}  // namespace lumaedit
