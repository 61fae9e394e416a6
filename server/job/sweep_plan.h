// Which page of the list to read for a job that is due, and whether one pays at all (protocol.md
// section 7). Pure functions of what a ListMap knows; one thread.
#pragma once

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "server/job/list_map.h"

namespace lumaedit {

struct SweepPage {
  int offset = 0;
  int limit = 0;
  // Whom it is to serve: jobs' upstream ids, in the order of the list.
  std::vector<std::string> serves;
};

// The page that serves the record `id` and the most of the others for which `is_useful` holds: jobs
// that are due, or nearly. Between two fat records; one that is useful itself and stands close
// behind another may end it. Unset: it is cheaper to ask by id.
std::optional<SweepPage> PlanPage(const ListMap& map, const std::string& id,
                                  absl::FunctionRef<bool(const std::string& id)> is_useful);

}  // namespace lumaedit
