// The model catalogue (upstream.md sections 1.2 and 6). Single-threaded; a pure function of the
// path but for faults.
#pragma once

#include <string>

#include "exchange.h"

namespace lumaedit::simulator {

// True for the ids the catalogue lists. Letter case counts.
bool IsListedModel(const std::string& id);
// GET /models
Reply ListModels();
// GET /models/{id}
Reply DescribeModel(const std::string& id);

}  // namespace lumaedit::simulator
