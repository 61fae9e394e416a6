// What the upstream knows about an edit: which payloads it refuses (upstream.md section 6.1) and
// what it charges (section 6.5). Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "submission.h"

namespace lumaedit::simulator {

inline constexpr char kEditModel[] = "luma-ray-3-2-edit";

// The reason of refusal, or nullopt for a payload the upstream takes.
std::optional<std::string> RefusalOf(const Submission& submission, double source_seconds);

// Micro-dollars for a source of that many seconds.
int64_t PriceUsdMicros(const boost::json::object& payload, double source_seconds);

// Blocks of five seconds, rounded up, at least one.
int64_t BlocksOf(double source_seconds);

// Length of the source: the prompt marker [seconds=12.3], else `fallback`.
double SourceSeconds(const std::string& prompt, double fallback);

}  // namespace lumaedit::simulator
