// A program run by a test, behind pipes or behind a terminal.
//
// Owned by one test and used by its thread; ends the process with it.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace lumaedit::client {

struct ChildResult {
  int exit_code = -1;  // 128 + n when killed by signal n; -1 when it did not end in time
  std::string out;
  std::string err;
};

// Runs `arguments` (the program first) to its end, at most 30 s. `environment` is added to ours.
ChildResult RunChild(const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment = {},
                     const std::string& input = "");

// A program on a pseudo terminal of `columns`: its output, errors and keyboard are one.
class TerminalChild {
 public:
  TerminalChild(const std::vector<std::string>& arguments, int columns);
  ~TerminalChild();

  TerminalChild(const TerminalChild&) = delete;
  TerminalChild& operator=(const TerminalChild&) = delete;

  // Reads until the output holds `text`; false after 10 s or at the program's end.
  bool AwaitOutput(const std::string& text);
  // The same for what is written after this call.
  bool AwaitFurtherOutput(const std::string& text);

  // What the keyboard sends: "\x03" is Ctrl-C.
  void Type(const std::string& keys);

  // Reads to the end and returns the exit code, as ChildResult does.
  int Wait();

  const std::string& output() const { return output_; }

 private:
  // One read, at most until the deadline. False when there is no more.
  bool ReadSome(int milliseconds);
  bool AwaitFrom(std::size_t position, const std::string& text);

  pid_t pid_ = -1;
  int terminal_ = -1;
  bool reaped_ = false;
  std::string output_;
};

}  // namespace lumaedit::client
