// The product's nouns: Job, Transition, Attempt, Fact. Values only; any thread.
//
// Law: protocol.md sections 1, 2 and 5. Money is micro-dollars, times are wall times.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "server/job/edit.h"
#include "server/job/error.h"

namespace lumaedit {

// Numbers equal the proto's.
enum class JobState {
  kPending = 1,
  kSubmitting = 2,
  kUnconfirmed = 3,
  kHeld = 4,
  kQueued = 5,
  kProcessing = 6,
  kSucceeded = 7,
  kFailed = 8,
  kCancelled = 9,
  kExpired = 10,
};

struct PriceRange {
  std::int64_t min_usd_micros = 0;
  std::int64_t max_usd_micros = 0;
  friend bool operator==(const PriceRange&, const PriceRange&) = default;
};

// How the length of a source is known. Numbers equal the proto's.
enum class DurationBasis {
  kProbed = 1,    // measured here
  kLineage = 2,   // the source is the outcome of a job whose source was measured
  kDeclared = 3,  // the caller said so
  kUnknown = 4,
};

struct SourceLength {
  std::optional<absl::Duration> duration;  // whole microseconds, rounded up; unset: kUnknown
  DurationBasis basis = DurationBasis::kUnknown;
  friend bool operator==(const SourceLength&, const SourceLength&) = default;
};

enum class ChargeState { kReserved = 1, kIncurred = 2, kReleased = 3, kUncertain = 4 };

struct Charge {
  ChargeState state = ChargeState::kReserved;
  PriceRange amount;
  friend bool operator==(const Charge&, const Charge&) = default;
};

struct Outcome {
  std::string video_url;
  std::string thumbnail_url;
  std::string generation_id;  // empty: the job cannot be chained (upstream.md 2.2)
  std::vector<std::string> other_urls;
  absl::Time read_time = absl::InfinitePast();
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

struct JobError {
  ErrorReason reason = ErrorReason::kUnspecified;
  std::string message;           // ours
  std::string upstream_code;     // as the upstream wrote it, bounded
  std::string upstream_message;  // as the upstream wrote it, bounded and cleaned
  bool may_succeed_if_submitted_again = false;
  friend bool operator==(const JobError&, const JobError&) = default;
};

// What a caller sent, kept to tell a repeat from another request (protocol.md section 8).
struct SubmitOptions {
  std::map<std::string, std::string> labels;
  std::optional<std::int64_t> max_price_usd_micros;
  std::optional<absl::Duration> declared_source_duration;
  std::optional<absl::Duration> start_within;
  friend bool operator==(const SubmitOptions&, const SubmitOptions&) = default;
};

enum class CancelResult { kNone = 0, kPrevented = 1, kRecordedMayBill = 2, kTooLate = 3 };

struct Job {
  std::string id;
  std::string caller;
  std::string request_id;  // lower case
  JobState state = JobState::kPending;
  int sequence = 0;  // of the newest transition
  Edit edit;
  SubmitOptions options;
  SourceLength source_length;  // as known at submission; an edit keeps the length
  PriceRange quote;
  Charge charge;
  std::optional<Outcome> outcome;
  std::optional<JobError> error;
  std::string upstream_account;                     // under which it was accepted; empty before
  std::string upstream_id;                          // empty: none known
  std::string upstream_status;                      // the upstream's own word, bounded
  std::vector<std::string> candidate_upstream_ids;  // while HELD
  bool stalled = false;
  bool unreachable = false;
  int refusals = 0;  // attempts known not accepted, but for those that paused key or dispatch
  CancelResult cancel_result = CancelResult::kNone;  // the first answer to a cancel
  std::string cancel_actor;                          // who asked first
  absl::Time create_time = absl::InfinitePast();
  // The rest: InfinitePast means unset.
  absl::Time accept_time = absl::InfinitePast();
  absl::Time end_time = absl::InfinitePast();
  absl::Time cancel_request_time = absl::InfinitePast();
  absl::Time next_attempt_time = absl::InfinitePast();
  absl::Time late_outcome_time = absl::InfinitePast();
  absl::Time state_time = absl::InfinitePast();   // of the newest transition
  absl::Time change_time = absl::InfinitePast();  // when the upstream's word last changed
};

struct Transition {
  int sequence = 0;
  std::optional<JobState> previous_state;  // unset for sequence 1
  JobState state = JobState::kPending;
  absl::Time record_time = absl::InfinitePast();
  // Upstream it happened between these two: the polls around it. InfinitePast: not known.
  absl::Time not_before = absl::InfinitePast();
  absl::Time not_after = absl::InfinitePast();
  std::string upstream_status;
  Charge charge;
  std::optional<Outcome> outcome;  // on the final one, and error likewise
  std::optional<JobError> error;
  std::string actor;        // who asked, for cancel and resolve
  std::int64_t change = 0;  // the caller's change number (protocol.md section 6)
  friend bool operator==(const Transition&, const Transition&) = default;
};

// What an answer to a POST taught (protocol.md section 3); never fenced, never changed.
enum class FactKind {
  kAccepted = 1,         // upstream_id is set
  kNotAccepted = 2,      // rate limited, or never sent
  kEditRefused = 3,      // this edit, not the others; error is set
  kEveryoneRefused = 4,  // 401, 402, 403, 404, 405, 3xx
  kRefusedInWords = 5,   // 503 capacity and its kin; named_id may be set
  kUnclear = 6,
};

struct Fact {
  FactKind kind = FactKind::kUnclear;
  absl::Time record_time = absl::InfinitePast();
  int http_status = 0;             // 0: no answer was read
  std::string upstream_id;         // kAccepted; kRefusedInWords: the id it named, or empty
  std::string upstream_status;     // kAccepted: the record's status word
  std::optional<Outcome> outcome;  // kAccepted with a record that is already final
  std::optional<JobError> error;   // why it was refused, or why the record failed
  absl::Duration retry_after = absl::ZeroDuration();
  // The upstream's clock minus ours when the answer came; unset: it did not tell.
  std::optional<absl::Duration> upstream_offset = std::nullopt;
  std::string note;  // for people: "connection reset", bounded, nothing secret
  friend bool operator==(const Fact&, const Fact&) = default;
};

// How an attempt came to its record. A person may be wrong: an attempt bound by hand goes on
// competing for records, and what may have been another attempt's is no proof that there is none.
enum class HandBinding {
  kNone = 0,         // by its answer, or by a record that fits no other attempt
  kEqualEcho = 1,    // by a person; the record's echo equals the payload
  kUnknownEcho = 2,  // by a person; the echo was empty or not seen: any payload's
  kUnknownTime = 3,  // by a person; the record's time is not known: any attempt's
};

// One POST, durable from its seal.
struct Attempt {
  std::string job_id;
  int number = 0;
  std::string account;
  std::string model;
  std::string fingerprint;  // of the payload: job/payload.h
  absl::Time seal_time = absl::InfinitePast();
  absl::Time end_time = absl::InfinitePast();  // its answer or its break; unset: neither was seen
  std::string upstream_id;                     // bound to this record; empty: unbound
  HandBinding by_hand = HandBinding::kNone;
  std::vector<Fact> facts;  // in the order in which they were recorded
};

std::string_view JobStateName(JobState state);  // "PENDING"

inline bool IsSet(absl::Time time) { return time != absl::InfinitePast(); }

}  // namespace lumaedit
