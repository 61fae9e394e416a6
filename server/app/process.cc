#include "server/app/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

// Sockets of clients and of the upstream, SQLite's files, sources that are being sent.
constexpr rlim_t kLeastDescriptors = 1024;
constexpr rlim_t kMostDescriptors = 1 << 20;
constexpr int kExitHurried = 1;

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// Runs in a signal handler, where almost nothing is allowed.
void EndAtOnce(int signal) {
  constexpr std::string_view kHurried =
      "{\"level\":\"warning\",\"event\":\"stop_hurried\",\"reason\":\"second signal\"}\n";
  constexpr std::string_view kLate =
      "{\"level\":\"error\",\"event\":\"stop_hurried\",\"reason\":\"drain time is over\"}\n";
  const std::string_view line = signal == SIGALRM ? kLate : kHurried;
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) _exit(kExitHurried);
  _exit(kExitHurried);
}

}  // namespace

absl::Status PrepareProcess(Log& log) {
  signal(SIGPIPE, SIG_IGN);

  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) {
    log.Warning("core_limit_not_set", {{"error", std::strerror(errno)}});
  }

  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return absl::ErrnoToStatus(errno, "getrlimit");
  const rlim_t wanted = std::min(files.rlim_max, kMostDescriptors);
  if (files.rlim_cur < wanted) {
    files.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) return absl::ErrnoToStatus(errno, "setrlimit");
  }
  if (files.rlim_cur < kLeastDescriptors) {
    return absl::ResourceExhaustedError(absl::StrCat("only ", files.rlim_cur,
                                                     " file descriptors are allowed; ",
                                                     kLeastDescriptors, " are needed"));
  }
  log.Debug("file_descriptors", {{"limit", static_cast<std::int64_t>(files.rlim_cur)}});
  return absl::OkStatus();
}

void HoldStopSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::string WaitForStopSignal() {
  const sigset_t set = StopSignals();
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
  return signal == SIGINT ? "SIGINT" : "SIGTERM";
}

void EndAtOnceOnNextSignalOrAfter(absl::Duration limit) {
  struct sigaction action {};
  action.sa_handler = EndAtOnce;
  for (const int signal : {SIGTERM, SIGINT, SIGALRM}) sigaction(signal, &action, nullptr);
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  itimerval timer{};
  timer.it_value = absl::ToTimeval(limit);
  setitimer(ITIMER_REAL, &timer, nullptr);
}

absl::Status WriteWhole(const std::string& path, const std::string& bytes) {
  const std::string part = absl::StrCat(path, ".part");
  const int file = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", part, "'"));
  const ssize_t written = write(file, bytes.data(), bytes.size());
  const int error = errno;
  close(file);
  if (written != static_cast<ssize_t>(bytes.size())) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot write '", part, "'"));
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", path, "'"));
  }
  return absl::OkStatus();
}

}  // namespace lumaedit
