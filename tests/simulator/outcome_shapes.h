// The outcome forms of upstream.md sections 2.2, 4 and 5.1, regular and odd. Pure functions.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "world.h"

namespace lumaedit::simulator {

// The form set by --outcome-shape.
boost::json::value SuccessOutcome(const World& world, const Record& record);
// A form of fault 19, success_anomaly.
boost::json::value AnomalousOutcome(const World& world, const Record& record,
                                    const std::string& shape);
// Top-level fields that tell a failure in a form of fault 15, failure_shape.
boost::json::object FailureFields(const Record& record, const std::string& shape);
// Address of a file of the record: output.mp4, thumb.jpg, output.exr.
std::string OutputUrl(const World& world, const Record& record, const std::string& file);

}  // namespace lumaedit::simulator
