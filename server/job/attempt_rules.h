// What the facts of a job's attempts mean for the job (protocol.md sections 1 to 3). Pure
// functions: a decision may be asked for again inside a repeated transaction. Any thread.
#pragma once

#include <optional>

#include "server/job/engine_settings.h"
#include "server/job/job_store.h"
#include "server/job/upstream.h"

namespace lumaedit {

// What an accepted job becomes when its record is first seen: `after` gets state, outcome, error,
// charge, upstream word and accept_time. `after` is not accepted yet.
void Accept(Job& after, const std::string& account, const std::string& upstream_id,
            std::string_view status_word, const std::optional<Outcome>& outcome,
            const std::optional<JobError>& error, absl::Time now);

// Sets an end that we decide ourselves.
void Fail(Job& after, ErrorReason reason, std::string_view message, bool may_succeed_again);

// Back to PENDING after an attempt that is known not to have been accepted: honours a cancel that
// was asked, and ends the job after too many refusals. `counts`: a refusal that paused key or
// dispatch does not count. `wait`: until the next attempt.
void ReturnToPending(Job& after, bool counts, absl::Duration wait, int most_refusals,
                     absl::Time now);

// Does some fact say that this attempt was not accepted? It competes for no record then.
bool KnownNotAccepted(const Attempt& attempt);

// When the attempt ended: its answer or its break, else the longest time it may have taken.
absl::Time EndOf(const Attempt& attempt, absl::Duration longest_attempt);

// What a 401, 402, 403, 404, 405 or 3xx turned out to mean once the key was tried on a read.
enum class EveryoneMeaning { kPaused, kNotEntitled };

struct FactInput {
  absl::Time now;
  absl::Duration wait;  // until the next attempt, where there is one
  int most_refusals = 100;
  EveryoneMeaning everyone = EveryoneMeaning::kPaused;
  // The id that a fact names is owned by another job: the answer is as unclear as none.
  bool distrust_accepted = false;
};

// The decision that the recorded facts call for, for a job in SUBMITTING, UNCONFIRMED or HELD.
// Unset: they call for none.
std::optional<Decision> DecideOnFacts(const JobView& view, const FactInput& input);

// No answer in time, or the process that waited for it is gone: SUBMITTING becomes UNCONFIRMED.
std::optional<Decision> DecideUnconfirmed(const JobView& view);

}  // namespace lumaedit
