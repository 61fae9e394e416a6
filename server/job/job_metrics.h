// Port: what is counted about jobs, for those who run the gateway. No label holds a caller, a
// prompt, a URL or a key: the methods take none.
//
// Implemented by `app`; here every method does nothing, so that a test overrides what it looks at.
// Any thread; no method blocks or allocates. Durations are of uptime unless said otherwise.
#pragma once

#include "absl/time/time.h"

namespace lumaedit {

enum class FactKind;
enum class JobState;
enum class ReadFailure;

enum class UpstreamRead { kGet, kList };

class JobMetrics {
 public:
  virtual ~JobMetrics() = default;

  // A transition was committed.
  virtual void Transitioned(JobState /*state*/) {}

  // A POST is over. `last_byte_given` false: it was never sent, and `answer` counts for little.
  virtual void PostEnded(bool /*last_byte_given*/, FactKind /*answer*/, absl::Duration /*took*/) {}

  // The upstream was read. kNone: it answered with what was asked for.
  virtual void ReadEnded(UpstreamRead /*what*/, ReadFailure /*failure*/, absl::Duration /*took*/) {}

  // A poll went out so long after it was due.
  virtual void PollLag(absl::Duration /*lag*/) {}

  // A job's state was read, from its own answer or from a page of the list.
  virtual void Observed(bool /*from_list*/) {}

  // So many records of the last reading of the list are nobody's that we know.
  virtual void UnknownUpstreamRecords(int /*count*/) {}

  // A transition became known at least `lower` and at most `upper` after it happened upstream, in
  // wall time.
  virtual void DetectionDelay(absl::Duration /*lower*/, absl::Duration /*upper*/) {}

  // The store made `operations` writes durable with one commit, which took this long.
  virtual void StoreCommitted(absl::Duration /*took*/, int /*operations*/) {}
};

// For who counts nothing.
inline JobMetrics& NoMetrics() {
  static JobMetrics none;
  return none;
}

}  // namespace lumaedit
