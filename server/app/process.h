// What a process asks of its operating system before it serves, and how it is told to stop.
// Called by the main thread; nothing here belongs to a job.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/log.h"

namespace lumaedit {

// No core files, since memory holds keys and prompts; as many file descriptors as are allowed; a
// broken pipe is an error code. RESOURCE_EXHAUSTED when the descriptors are too few to serve.
absl::Status PrepareProcess(Log& log);

// SIGTERM and SIGINT are kept back from every thread that is made afterwards.
void HoldStopSignals();

// Waits for SIGTERM or SIGINT; answers its name. A call to a `pid` of our own may send it.
std::string WaitForStopSignal();

// From here on a second signal ends the process at once, and so does `limit`: a kill loses nothing
// (rule 2), so a stop that hangs is not waited for.
void EndAtOnceOnNextSignalOrAfter(absl::Duration limit);

// Writes `bytes` to a file of that name in one step: a reader sees all of it or none.
absl::Status WriteWhole(const std::string& path, const std::string& bytes);

}  // namespace lumaedit
