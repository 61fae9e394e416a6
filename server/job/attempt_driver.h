// Drives one POST from PENDING to a decision: all of the body but its last byte, the seal, the last
// byte, the answer as a fact, the fact as a decision (protocol.md section 3).
//
// Owned by the Dispatcher; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>

#include "server/job/attempt_rules.h"
#include "server/job/engine_context.h"

namespace lumaedit {

// What the dispatcher must know when an attempt is over or its answer has been waited for.
struct AttemptReport {
  enum class Kind {
    kGone,             // the job was no longer PENDING, or a cancel was asked
    kEqualPayload,     // an equal payload is in doubt elsewhere: later
    kNotSent,          // never sealed, or sealed and not sent: again after `wait`
    kLeaseShort,       // the lease was not good enough
    kSettled,          // the answer has become a decision
    kEveryoneRefused,  // perhaps nobody is served: pause
    kNoAnswerYet,      // UNCONFIRMED by time; the exchange goes on for the fact
  };
  Kind kind = Kind::kGone;
  absl::Duration wait = absl::ZeroDuration();  // until this job is tried again
  // A recognised 429: how long nothing is sent, and the pace where it told one.
  bool is_rate_limit = false;
  absl::Duration hold = absl::ZeroDuration();
  std::optional<RateLimit> rate_limit = std::nullopt;
  bool answered = false;  // kSettled: the upstream said something
  bool unclear = false;   // the job is UNCONFIRMED
};

class AttemptDriver {
 public:
  explicit AttemptDriver(EngineContext& context) : context_(context) {}

  using OnLate = std::function<void(const AttemptReport& report)>;

  // `unsent_failures`: how often this job could not be sent so far, for the backoff. After
  // `start_deadline` (uptime) it is not sealed. After kNoAnswerYet the exchange goes on, and
  // `on_late` hears once how it ended, on the I/O thread, unless the engine stops before.
  boost::asio::awaitable<AttemptReport> Run(std::string job_id, int unsent_failures,
                                            absl::Duration start_deadline, OnLate on_late);

 private:
  struct Exchange;
  class Gate;

  boost::asio::awaitable<void> Converse(std::shared_ptr<Exchange> exchange, PostRequest request);
  boost::asio::awaitable<AttemptReport> Conclude(Exchange& exchange, PostResult result);
  boost::asio::awaitable<AttemptReport> ConcludeUnsealed(Exchange& exchange, PostResult result);
  // A body without its last byte was accepted (assumption A1 broken), and the job is not sealed.
  boost::asio::awaitable<AttemptReport> ConcludeShortBody(Exchange& exchange, PostResult result);
  // True: the id and the charge are kept with a job that ended meanwhile.
  boost::asio::awaitable<bool> SettleEnded(const Exchange& exchange, Fact accepted);
  // True: the seal would find an equal payload in doubt, so that no body need be uploaded.
  boost::asio::awaitable<bool> IsBlocked(const Attempt& attempt);
  boost::asio::awaitable<EveryoneMeaning> AskAboutKey(int http_status);
  absl::Duration EqualPayloadWait(int unsent_failures) const;
  absl::Duration NextDelay(int failures, absl::Duration asked) const;

  EngineContext& context_;
};

}  // namespace lumaedit
