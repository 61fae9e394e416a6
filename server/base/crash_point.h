// Named instants at which a test kills the process (design.md section 6): nothing in a release.
//
// LUMAEDIT_CRASH_AT=<name> or <name>:<n> in the environment sends SIGKILL at the n-th pass of that
// point. The names: submit.committed dispatch.body_sent dispatch.sealed dispatch.last_byte
// dispatch.answered dispatch.recorded reconcile.matched reconcile.adopted poll.answered
// poll.committed publish.committed.
#pragma once

namespace lumaedit {

#if defined(LUMAEDIT_CRASH_POINTS)
void CrashPoint(const char* name);
#else
inline void CrashPoint(const char*) {}
#endif

}  // namespace lumaedit
