// Which listed record may be which attempt's (protocol.md section 4). Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/job/engine_settings.h"
#include "server/job/job_store.h"
#include "server/job/upstream.h"

namespace lumaedit {

// The upstream's clock as far as it is known.
struct UpstreamTime {
  std::optional<absl::Duration> offset;  // upstream minus ours; unset: not learned

  absl::Duration Doubt(const ReconcileSettings& settings) const {
    return offset ? settings.clock_doubt : settings.clock_doubt_unlearned;
  }
};

// What a `Date` header says of the upstream's clock. It counts whole seconds: the middle of the
// second is the best guess.
absl::Duration OffsetOf(absl::Time upstream_date, absl::Time now);

// One reading of the list, newest first: the records that no job owns.
struct Pass {
  std::vector<UpstreamRecord> unowned;
  bool complete = false;  // to the end of what was asked for
  // Everything created after this, in the upstream's time, was read.
  absl::Time read_back_to = absl::InfiniteFuture();
  bool failed = false;       // a page or the store could not be read; else it was merely too long
  bool key_changed = false;  // not every page was read with one key: `failed`, and without records
  absl::Time read_time;      // when it began

  // Did it read the whole window that begins at `from`? Else it proves nothing about it. The
  // upstream counts whole seconds: a record of 10.9 s reads 10.
  bool Covers(absl::Time from) const { return complete || ReachesBack(from); }

  // Was it seen that the list goes back so far? One that was read to its end may have lost what was
  // older: how long the upstream keeps records is not known.
  bool ReachesBack(absl::Time from) const { return read_back_to + absl::Seconds(1) <= from; }
};

// The times, upstream's, between which the record of this attempt was created.
struct Window {
  absl::Time from;
  absl::Time to;
};
Window WindowOf(const Attempt& attempt, const UpstreamTime& time,
                const ReconcileSettings& settings);

// The widest one: whether or not the upstream's clock was learned well. What lies in it is not
// absent, so a wrong clock can put off an adoption but never lets a POST be repeated.
Window WidestWindowOf(const Attempt& attempt, const UpstreamTime& time,
                      const ReconcileSettings& settings);

// Does the record fit the attempt? An empty echo and a missing time fit.
bool Fits(const UpstreamRecord& record, const Attempt& attempt, const UpstreamTime& time,
          const ReconcileSettings& settings);

// In the widest window: such a record cannot be called absent.
bool MayFit(const UpstreamRecord& record, const Attempt& attempt, const UpstreamTime& time,
            const ReconcileSettings& settings);

enum class FindingKind {
  kNothing,    // no record fits, and the pass was complete
  kAdopt,      // exactly one fits, and it fits no other attempt
  kNotYet,     // one fits, but it is `failed` and another may still show
  kAmbiguous,  // several fit, or one fits several attempts, or its echo is empty, or it may be one
               // that a person has given to another job, or it reads `failed` and one that does
               // not lies in the widest window
  kProvesNothing,
};

struct Finding {
  FindingKind kind = FindingKind::kProvesNothing;
  std::optional<UpstreamRecord> record;    // kAdopt, kNotYet
  std::vector<std::string> candidate_ids;  // of all records that fit, also in the widest window
};

// May the record that a person has given to `rival` be that of `attempt`? Then a list that shows no
// other one does not say that there is none.
bool MayHaveTakenRecord(const Attempt& rival, const Attempt& attempt, const UpstreamTime& time,
                        const ReconcileSettings& settings);

// What `pass` says of `attempt`; `rivals` are all unbound attempts of the account, and those bound
// by hand.
Finding FindRecord(const Pass& pass, const Attempt& attempt,
                   const std::vector<UnboundAttempt>& rivals, const UpstreamTime& time,
                   const ReconcileSettings& settings);

// Was our clock set between the seal and the answer, or since the answer by what the upstream's
// clock says? Then the window of the attempt lies elsewhere than its record.
bool WasClockSet(const Attempt& attempt, const UpstreamTime& time,
                 const ReconcileSettings& settings);

// Has the time passed after which an accepted record would show (end + v + s)?
bool VisibilityOver(const Attempt& attempt, const UpstreamTime& time,
                    const ReconcileSettings& settings, absl::Time now);

}  // namespace lumaedit
