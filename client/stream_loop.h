// Streams that are opened again until their work is done: how long to wait in between, when to give
// up, and how a dead one is told. What Watch and WatchAll share.
//
// Owned by one watch and used by its thread only; a stop request may come from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/connection.h"
#include "client/deadline.h"
#include "client/result.h"
#include "client/watch_stream.h"

namespace lumaedit::client {

struct StreamLimits {
  absl::Duration silence;          // a stream that says nothing for so long is dead
  absl::Duration timeout;          // of everything together
  absl::Duration max_outage;       // without a word of the gateway
  absl::Duration connect_timeout;  // the same until its first word, when it is shorter
  BackoffOptions backoff;
  std::stop_token stop;
  // A stream broke; the next is opened after `wait`. May be empty.
  std::function<void(const ClientError& error, absl::Duration wait)> on_interrupted;
};

// What a message means for its stream.
enum class Taken {
  kGoOn,
  kStop,  // the caller wants no more
  kLast,  // nothing follows but the status
};

// Another try would give the same answer.
bool IsPermanent(const ClientError& error);

class StreamLoop {
 public:
  StreamLoop(std::shared_ptr<Connection> connection, StreamLimits limits);

  // Reads stream after stream. `take` looks at each message; an error of its breaks the stream.
  // Unset when `take` has said that it is over; else the error that ends the work: one for which
  // `ends` answers true, a stop, a limit.
  template <typename Response>
  std::optional<ClientError> Run(const typename WatchStream<Response>::Prepare& prepare,
                                 const std::function<Result<Taken>(const Response&)>& take,
                                 const std::function<bool(const ClientError&)>& ends);

  // Waits until the next try after `error` is due. The error that ends the work, if it is over.
  std::optional<ClientError> WaitAfter(const ClientError& error);

  // The work has moved on: the next wait is the initial one again.
  void Progress() { backoff_.Reset(); }

  // The gateway spoke: its outage is over.
  void Heard();

  // What is left until the timeout.
  absl::Duration Left() const { return deadline_.Left(); }

  // The error that ends the work now, if there is one.
  std::optional<ClientError> Stopped() const;

  // How many waits there were.
  int resumes() const { return resumes_; }

 private:
  // Reads one stream to its end. Unset when it is over, else why it broke.
  template <typename Response>
  std::optional<ClientError> ReadOne(const typename WatchStream<Response>::Prepare& prepare,
                                     const std::function<Result<Taken>(const Response&)>& take);

  const std::shared_ptr<Connection> connection_;
  const StreamLimits limits_;
  const Deadline deadline_;
  Deadline outage_;
  Backoff backoff_;
  int resumes_ = 0;
};

}  // namespace lumaedit::client
