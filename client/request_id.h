// The caller's key for submitting once (AIP-155).
#pragma once

#include <string>

namespace lumaedit::client {

// A new random UUID (version 4) in lower case. May be called from any thread.
std::string NewRequestId();

}  // namespace lumaedit::client
