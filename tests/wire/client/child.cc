#include "tests/wire/client/child.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>

namespace lumaedit::client {
namespace {

using std::chrono::steady_clock;

int MillisecondsUntil(steady_clock::time_point end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - steady_clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Only a child that was started: kill(-1) would end every process of the machine.
void Kill(pid_t pid) {
  if (pid > 0) kill(pid, SIGKILL);
}

// Waits for the end of `pid` without polling; kills it when the time is over.
int Reap(pid_t pid, steady_clock::time_point end) {
  if (pid <= 0) return -1;
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  pollfd ready = {handle, POLLIN, 0};
  const bool in_time = poll(&ready, 1, MillisecondsUntil(end)) == 1;
  close(handle);
  if (!in_time) Kill(pid);
  int status = 0;
  waitpid(pid, &status, 0);
  return in_time ? ExitCode(status) : -1;
}

}  // namespace

ChildResult RunChild(const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment,
                     const std::string& input) {
  std::vector<std::string> words = arguments;
  std::vector<std::string> variables = Environment(environment);
  const std::vector<char*> argv = Pointers(words);
  const std::vector<char*> envp = Pointers(variables);
  std::array<int, 2> in, out, err;
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0 ||
      pipe2(err.data(), O_CLOEXEC) != 0) {
    return {};
  }
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  // Tests send less than a pipe holds.
  if (!input.empty() && write(in[1], input.data(), input.size()) < 0) Kill(pid);
  close(in[1]);

  ChildResult result;
  const auto end = steady_clock::now() + std::chrono::seconds(30);
  std::array<pollfd, 2> ready = {{{out[0], POLLIN, 0}, {err[0], POLLIN, 0}}};
  while (ready[0].fd >= 0 || ready[1].fd >= 0) {
    if (poll(ready.data(), ready.size(), MillisecondsUntil(end)) <= 0) break;
    for (std::size_t at = 0; at < ready.size(); ++at) {
      if (ready[at].revents == 0) continue;
      char buffer[4096];
      const ssize_t size = read(ready[at].fd, buffer, sizeof buffer);
      if (size <= 0) {
        ready[at].fd = -1;
      } else {
        (at == 0 ? result.out : result.err).append(buffer, static_cast<std::size_t>(size));
      }
    }
  }
  close(out[0]);
  close(err[0]);
  result.exit_code = Reap(pid, end);
  return result;
}

TerminalChild::TerminalChild(const std::vector<std::string>& arguments, int columns) {
  std::vector<std::string> words = arguments;
  std::vector<std::string> variables = Environment({{"TERM", "xterm"}});
  // The first of two equal names counts for getenv.
  std::erase_if(variables, [](const std::string& entry) {
    return entry.rfind("TERM=", 0) == 0 && entry != "TERM=xterm";
  });
  const std::vector<char*> argv = Pointers(words);
  const std::vector<char*> envp = Pointers(variables);
  winsize size = {};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = 24;
  pid_ = forkpty(&terminal_, nullptr, nullptr, &size);
  if (pid_ == 0) {
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
}

TerminalChild::~TerminalChild() {
  if (!reaped_) Reap(pid_, steady_clock::now());
  close(terminal_);
}

bool TerminalChild::ReadSome(int milliseconds) {
  pollfd ready = {terminal_, POLLIN, 0};
  if (poll(&ready, 1, milliseconds) <= 0) return false;
  char buffer[4096];
  // EIO is how a terminal says that the last program has left it.
  const ssize_t size = read(terminal_, buffer, sizeof buffer);
  if (size <= 0) return false;
  output_.append(buffer, static_cast<std::size_t>(size));
  return true;
}

bool TerminalChild::AwaitFrom(std::size_t position, const std::string& text) {
  const auto end = steady_clock::now() + std::chrono::seconds(10);
  while (output_.find(text, position) == std::string::npos) {
    if (!ReadSome(MillisecondsUntil(end))) return false;
  }
  return true;
}

bool TerminalChild::AwaitOutput(const std::string& text) { return AwaitFrom(0, text); }

bool TerminalChild::AwaitFurtherOutput(const std::string& text) {
  return AwaitFrom(output_.size(), text);
}

void TerminalChild::Type(const std::string& keys) {
  if (write(terminal_, keys.data(), keys.size()) < 0) Kill(pid_);
}

int TerminalChild::Wait() {
  const auto end = steady_clock::now() + std::chrono::seconds(30);
  while (ReadSome(MillisecondsUntil(end))) {
  }
  reaped_ = true;
  return Reap(pid_, end);
}

}  // namespace lumaedit::client
