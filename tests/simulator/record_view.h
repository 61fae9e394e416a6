// A record as JSON: the full form of GET and list, or the six fields of a POST answer (upstream.md
// sections 2 and 4), bent by the faults of its shape. Single-threaded.
#pragma once

#include <vector>

#include "body.h"
#include "world.h"

namespace lumaedit::simulator {

enum class RecordForm { kShort, kFull };

// `extra` are faults of this one answer; those of the record itself apply in any case.
Body RenderRecord(const World& world, const Record& record, RecordForm form,
                  const std::vector<Fault>& extra);

}  // namespace lumaedit::simulator
