// What becomes of an accepted submission: which statuses it passes through and when (upstream.md
// section 9.1.8, and the faults that bend it). Single-threaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "world.h"

namespace lumaedit::simulator {

// Makes a record out of an accepted submission, charges the key, and plans its statuses.
Record& AcceptSubmission(World& world, ApiKey& key, Submission submission,
                         const std::vector<Fault>& faults);

// A record that was refused on arrival but shows as failed (upstream.md section 5.3). Not charged.
Record& AddRefusedRecord(World& world, ApiKey& key, Submission submission,
                         const std::string& reason);

}  // namespace lumaedit::simulator
