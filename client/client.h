// The client library of the Luma Edit Gateway: submit an edit once, and hear of every transition.
//
//   auto client = Client::Create({.connection = {.address = "127.0.0.1:8443"}});
//   auto job = (*client)->Submit(request);
//   auto end = (*client)->Watch(job->id(), 0, [](const v1::Transition& t) {
//     std::cout << StateName(t.state()) << "\n";
//     return WatchStep::kGoOn;
//   });
//
// A Client is made once for a process and may be used from any number of threads. Its calls block
// the calling thread; each can be ended early through its std::stop_token, from any thread, and
// then returns promptly with CANCELLED. A Client must outlive its calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/call_options.h"
#include "client/connection.h"
#include "client/result.h"
#include "client/upload.h"
#include "client/wait.h"
#include "client/watch.h"
#include "client/watch_all.h"
#include "lumaedit/v1/edit_service.pb.h"

namespace lumaedit::client {

struct UnaryLimits;

struct ClientOptions {
  ConnectionOptions connection;

  // The limit of one try of a unary call. A try that exceeds it counts as lost, and is made again.
  absl::Duration attempt_timeout = absl::Seconds(10);

  // The waits between the tries of a unary call.
  BackoffOptions backoff;
};

class Client {
 public:
  // Reads the TLS files; connects on the first call. INVALID_ARGUMENT when a file cannot
  // be read.
  static Result<std::unique_ptr<Client>> Create(const ClientOptions& options);

  // Submits an edit and returns its Job, which is durable from then on.
  //
  // A lost call (UNAVAILABLE, DEADLINE_EXCEEDED, a broken connection) is repeated with the same
  // request_id, so that it makes one job and is billed at most once. An empty request_id is filled
  // with a new UUID; a caller who may want to repeat after this call has given up, or after a
  // crash, sets its own (NewRequestId) and keeps it.
  //
  // Errors: INVALID_ARGUMENT with the violations; ALREADY_EXISTS REQUEST_ID_REUSED when the id was
  // used for another edit; FAILED_PRECONDITION or RESOURCE_EXHAUSTED when price or budget forbid
  // it; UNAVAILABLE or DEADLINE_EXCEEDED when no answer came in time: the edit may then be accepted
  // or not, and repeating it with the same request_id is the way to know.
  Result<v1::Job> Submit(v1::SubmitEditRequest request, const CallOptions& options = {});

  // The job as it is now. NOT_FOUND also for another caller's job.
  Result<v1::Job> Get(const std::string& job_id, const CallOptions& options = {});

  // One page, newest first.
  Result<v1::ListJobsResponse> List(const v1::ListJobsRequest& request,
                                    const CallOptions& options = {});

  // Asks for the job's end, and says what happens to the money. A repeat answers with the first
  // result, so lost calls are repeated here too.
  Result<v1::CancelJobResponse> Cancel(const std::string& job_id, const CallOptions& options = {});

  // Decides about a HELD job: adopts one of its candidates, or abandons it. A lost call is
  // repeated; it counts once, as the first that is heard changes Job.sequence.
  //
  // Errors: FAILED_PRECONDITION NOT_HELD, or RECORD_FOUND (abandoning is refused: the list has a
  // record that fits); ABORTED STATE_CHANGED (metadata "sequence"); INVALID_ARGUMENT
  // NOT_A_CANDIDATE; ALREADY_EXISTS UPSTREAM_ID_OWNED. The upstream is asked first, which can take
  // as long as `options.timeout` lets it.
  Result<v1::Job> Resolve(const v1::ResolveJobRequest& request, const CallOptions& options = {});

  // Asks the upstream again for the output of a final job that it had accepted, at most once a
  // minute: within it the last answer comes again. FAILED_PRECONDITION NOT_ACCEPTED.
  Result<v1::Job> Refresh(const std::string& job_id, const CallOptions& options = {});

  // What an edit would cost; nothing is kept or spent.
  Result<v1::QuoteEditResponse> Quote(const v1::QuoteEditRequest& request,
                                      const CallOptions& options = {});

  // The caller's budget in the current window.
  Result<v1::Budget> GetBudget(const CallOptions& options = {});

  // Uploads a video under an id that follows from the file, and returns it READY, measured. Blocks;
  // see upload.h for how it goes on after breaks and kills, and what ends it: INVALID_ARGUMENT
  // NOT_A_VIDEO, SOURCE_TOO_LONG, TRUNCATED …, RESOURCE_EXHAUSTED QUOTA_EXCEEDED.
  Result<v1::Source> Upload(const std::string& path, UploadOptions options = {});

  // A source as it is now. NOT_FOUND also for another caller's.
  Result<v1::Source> GetSource(const std::string& source_id, const CallOptions& options = {});

  // Delivers every transition after `after_sequence` (0 = from the first) to `on_transition`, in
  // order, each once, and returns after the final one. Blocks; see watch.h for how it resumes,
  // which errors end it, and what else it can tell.
  Result<WatchEnd> Watch(const std::string& job_id, std::int32_t after_sequence,
                         const TransitionCallback& on_transition, const WatchOptions& options = {});

  // The same for all of the caller's jobs, or those with some labels or ids, also for jobs made
  // later. Blocks until a callback or the stop token ends it, or an error that another try cannot
  // mend; see watch_all.h.
  Result<WatchAllEnd> WatchAll(const JobTransitionCallback& on_transition,
                               const WatchAllOptions& options = {});

  // As Watch, by long polls instead of a stream; returns the job when it is final or HELD. See
  // wait.h.
  Result<v1::Job> Wait(const std::string& job_id, std::int32_t after_sequence,
                       const TransitionCallback& on_transition, const WaitOptions& options = {});

 private:
  Client(const ClientOptions& options, std::shared_ptr<Connection> connection);
  UnaryLimits Limits() const;

  const ClientOptions options_;
  const std::shared_ptr<Connection> connection_;
};

}  // namespace lumaedit::client
