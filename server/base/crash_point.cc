#include "server/base/crash_point.h"

#if defined(LUMAEDIT_CRASH_POINTS)

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

namespace lumaedit {
namespace {

struct Plan {
  std::string name;
  std::atomic<int> passes_left{1};

  Plan() {
    const char* text = std::getenv("LUMAEDIT_CRASH_AT");
    if (text == nullptr) return;
    name = text;
    if (const auto colon = name.find(':'); colon != std::string::npos) {
      passes_left = std::atoi(name.c_str() + colon + 1);
      name.resize(colon);
    }
  }
};

}  // namespace

void CrashPoint(const char* name) {
  // Read once: a test sets the variable before the process (or its forked child) starts working.
  static Plan plan;
  if (plan.name != name) return;
  if (plan.passes_left.fetch_sub(1) == 1) kill(getpid(), SIGKILL);
}

}  // namespace lumaedit

#endif
